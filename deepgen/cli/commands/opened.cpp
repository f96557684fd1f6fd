#include "deepgen/cli/commands/opened.h"

namespace deepgen {

OpenRun open_and_tell(const Arguments& arguments, Observer& observer) {
  OpenRun run = open_run(arguments.subject);
  if (!run.note.empty()) observer.message(run.note);
  return run;
}

void tell_notes(const Dataset& data, Observer& observer) {
  for (const std::string& note : data.notes) observer.message(note);
}

Dataset load_and_tell(const OpenRun& run, const Arguments& arguments, Observer& observer) {
  Dataset data = load_data_for(run, arguments.data);
  tell_notes(data, observer);
  return data;
}

Split asked_part(const Dataset& data, const Arguments& arguments) {
  Split part = data.split(arguments.split);
  part.name = arguments.data;
  return part;
}

}  // namespace deepgen

// What is said of the columns of a table.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "deepgen/core/error.h"
#include "deepgen/data/files/array_bytes.h"
#include "deepgen/data/files/table.h"
#include "deepgen/data/files/usual_orders.h"

namespace deepgen {
namespace {

using Kind = TableColumnKind;

std::string set_aside_text(const TableColumn& column) {
  if (column.kind == Kind::constant)
    return column.values.empty()
               ? fmt::format(
                     "column {} without any value in the training rows: set aside, and written as "
                     "missing cells",
                     shown(column.name))
               : fmt::format(
                     "column {} with the one value {} in the training rows: set aside, and written "
                     "back as it is",
                     shown(column.name), shown(column.values[0]));
  return fmt::format("column {}, {}: {}; set aside, and kept in completed files ({})", shown(column.name),
                     kind_text(column), column.reason, remedy_text(column));
}

// Numbers have their order, of texts it must be stated.
std::string ordinal_option(const TableColumn& column) {
  constexpr std::size_t few = 3;
  const bool numbers = std::all_of(column.values.begin(), column.values.end(), [&](const std::string& value) {
    return column.format.parse(value).has_value();
  });
  return numbers ? "ordinal=" + column.name
                 : fmt::format("ordinal={}({})", column.name, order_text(column.values, few));
}

}  // namespace

std::string kind_text(const TableColumn& column) {
  if (column.kind == Kind::real) return column.format.is_date() ? "date" : "number";
  if (column.kind == Kind::categorical && column.ordered) return "ordinal";
  return name_of(column.kind);
}

std::vector<std::string> remedies(const TableColumn& column) {
  const auto options = [&](std::initializer_list<const char*> kinds) {
    std::vector<std::string> all;
    for (const char* kind : kinds) all.push_back(fmt::format("{}={}", kind, column.name));
    return all;
  };
  switch (column.kind) {
    case Kind::real:
      return column.format.is_date() ? options({"categorical", "ignore"})
                                     : options({"categorical", "ordinal", "count", "ignore"});
    case Kind::count:
      return options({"real", "categorical", "ignore"});
    case Kind::binary:
    case Kind::categorical:
      return column.ordered ? options({"categorical", "ignore"})
                            : std::vector<std::string>{ordinal_option(column), "ignore=" + column.name};
    case Kind::identifier:
      return column.reason.find("number") != std::string::npos ? options({"real", "categorical"})
                                                               : options({"categorical"});
    case Kind::text:
      return options({"categorical", "ignore"});
    default:
      return {};
  }
}

std::string remedy_text(const TableColumn& column) {
  return fmt::format("{}", fmt::join(remedies(column), ", "));
}

std::vector<std::string> UnreadCells::notes(const TableSchema& schema, const CsvCells& file,
                                            const std::string& part) const {
  std::vector<std::string> notes;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const TableColumn& about = schema.columns[i];
    const Column& cells = columns[i];
    if (cells.count > 0)
      notes.push_back(
          fmt::format("{} cells of column {} in {} are none of what the training file has, first "
                      "{} in line {}: read as missing (strict=true refuses them)",
                      cells.count, shown(about.name), part, shown(cells.first), file.line(cells.first_row)));
    if (cells.beyond > 0)
      notes.push_back(fmt::format("{} numbers of column {} in {} lie beyond the training rows' {} to {}",
                                  cells.beyond, shown(about.name), part,
                                  about.format.write(about.low, about.decimals),
                                  about.format.write(about.high, about.decimals)));
  }
  return notes;
}

std::vector<std::string> table_notes(const TableSchema& schema) {
  std::vector<std::string> notes;
  for (const TableColumn& column : schema.columns) {
    const bool aside = column.kind == Kind::constant || column.kind == Kind::text ||
                       (column.kind == Kind::identifier && column.reason != "stated");
    const bool doubtful = column.kind == Kind::categorical && column.reason.find("; ") != std::string::npos;
    if (aside) notes.push_back(set_aside_text(column));
    if (doubtful)
      notes.push_back(
          fmt::format("column {} is taken for categories: {}", shown(column.name), column.reason));
  }
  return notes;
}

}  // namespace deepgen

// Threads that share work and block nobody.
//
// Work is cut into parts. The calling thread takes one part after another, and so does every worker that is awake
// and has a processor; so a worker that never arrives, as happens where other programs compute on the same
// processors, costs nothing: the others do its share. A worker that waits looks for work for some ten
// microseconds and then sleeps, as does a caller whose last parts are with workers.
#pragma once

#include <cstdint>
#include <functional>

namespace deepgen {

// body(part, thread) for every part of [0, parts), each once, on at most `team` threads numbered from 0 (the
// caller). Parts must not depend on one another. What a body throws first is thrown when all have ended, and
// parts not begun by then are left out. Within a body, and while another thread is sharing work, the caller
// does all parts itself. Matrix products of BLAS inside keep to their thread.
void share_parts(std::int64_t parts, int team,
                 const std::function<void(std::int64_t part, int thread)>& body);

// Whether the caller is in a body already: what it shares out then is its own to do.
bool in_shared_part();

// Denormal numbers become zero on this thread: a moving average that decays into them otherwise slows every pass
// over it several times.
void flush_denormals();

}  // namespace deepgen

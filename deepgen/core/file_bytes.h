// Whole files as bytes: bounded reading, gzip, and writing that leaves either the old file or the new one.
//
// gzip (RFC 1952): one or more members, each 1f 8b 08 flags.. deflate data, CRC-32, size modulo 2^32.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace deepgen {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

// What a reader takes at most unless told otherwise: above every set in use, below a machine's memory.
inline constexpr std::uint64_t largest_file = std::uint64_t{16} << 30;

// Deflate turns one byte into at most 1032; a declared size above this bound cannot be honest.
std::uint64_t largest_inflated(std::uint64_t compressed);

// The whole file as it is. All readers here throw a data error naming `path`; also when it is above `limit`.
Bytes read_raw_file(const std::string& path, std::uint64_t limit = largest_file);

// The same, inflated when it begins with the magic number of gzip; `limit` holds for the inflated bytes.
Bytes read_file_bytes(const std::string& path, std::uint64_t limit = largest_file);

bool is_gzip(ByteView bytes);

// The content of a gzip file in memory. Truncation, a wrong checksum, bytes after the end and more than
// `limit` bytes of content are errors; the limit is checked while inflating.
Bytes gunzip(const std::string& path, ByteView compressed, std::uint64_t limit = largest_file);

// At most the first `count` bytes of the content; what follows is not looked at.
Bytes gunzip_prefix(const std::string& path, ByteView compressed, std::size_t count);

// Room for so many bytes in one piece, where the system has it: what grows into it is never copied. The pages
// are taken when bytes arrive, so a size that a file only claims costs nothing.
void reserve_ahead(Bytes& bytes, std::uint64_t size);

// Appends what `more(to, room)` delivers until it delivers 0, in steps that grow with what has arrived, so
// that memory follows the data and not a declared size. An error when `bytes` would pass `limit`.
void read_growing(const std::string& path, Bytes& bytes, std::uint64_t limit,
                  const std::function<std::size_t(std::uint8_t* to, std::size_t room)>& more);

// Writes the parts, one after another, under a temporary name in the same folder, flushes and renames: on
// any failure the old file stays whole and a data error names the path. Devices and pipes are written
// directly.
void write_file(const std::string& path, const std::vector<ByteView>& parts);
void write_file(const std::string& path, ByteView bytes);

}  // namespace deepgen

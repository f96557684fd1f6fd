#include "deepgen/data/files/npz.h"

#include <fmt/format.h>
#include <zip.h>

#include <algorithm>
#include <memory>
#include <new>

#include "deepgen/core/error.h"
#include "deepgen/core/mapped_file.h"
#include "deepgen/data/files/array_bytes.h"
#include "deepgen/data/files/npy.h"

namespace deepgen {

namespace {

struct ZipClose {
  void operator()(zip_t* archive) const { zip_discard(archive); }
  void operator()(zip_file_t* file) const { zip_fclose(file); }
  void operator()(zip_source_t* source) const { zip_source_free(source); }
};
using Zip = std::unique_ptr<zip_t, ZipClose>;
using ZipFile = std::unique_ptr<zip_file_t, ZipClose>;
using ZipSource = std::unique_ptr<zip_source_t, ZipClose>;

// Opens an archive in memory; it takes the source over.
Zip open_zip(const std::string& path, ZipSource source, int flags) {
  zip_error_t error;
  zip_error_init(&error);
  if (!source) throw std::bad_alloc();
  Zip archive(zip_open_from_source(source.get(), flags, &error));
  if (archive) {
    (void)source.release();
    return archive;
  }
  const std::string reason = zip_error_strerror(&error);
  zip_error_fini(&error);
  fail_data(path, fmt::format("expected a zip archive, got '{}'", reason));
}

Zip open_zip(const std::string& path, ByteView bytes) {
  return open_zip(path, ZipSource(zip_source_buffer_create(bytes.data(), bytes.size(), 0, nullptr)),
                  ZIP_RDONLY);
}

// An archive on disk, of which pieces are read as they are needed; or, where it is no plain file, in memory:
// then `kept` holds it.
Zip open_zip_file(const std::string& path, Bytes& kept, std::uint64_t& size) {
  const std::shared_ptr<const MappedFile> file = MappedFile::open(path);  // says what is wrong with the file
  if (!file) kept = read_raw_file(path);
  size = file ? file->bytes().size() : kept.size();
  if (!file) return open_zip(path, kept);
  return open_zip(path, ZipSource(zip_source_file_create(path.c_str(), 0, -1, nullptr)), ZIP_RDONLY);
}

// One .npy file of an archive, read from its beginning.
class Member {
 public:
  // `budget`: bytes all members together may still inflate to; lowered by this one's size.
  Member(const std::string& path, zip_t* archive, zip_uint64_t index, const zip_stat_t& about,
         std::uint64_t& budget)
      : path_(path), size_(about.size) {
    check(about, budget);
    file_.reset(zip_fopen_index(archive, index, 0));
    if (!file_) fail_data(path_, fmt::format("expected a readable member, got '{}'", zip_strerror(archive)));
  }

  NpyHeader header() {
    Bytes bytes = read(npy_preamble);
    const std::size_t size = npy_header_size(path_, bytes);
    const Bytes rest = read(size - std::min(size, npy_preamble));
    bytes.insert(bytes.end(), rest.begin(), rest.end());
    NpyHeader header = parse_npy_header(path_, bytes);
    if (!header.unread.empty()) return header;  // how long such items are is not known
    if (header.header_size + header.data_size != size_)
      fail_data(path_, fmt::format("expected {} bytes for {} {}, got a member of {}",
                                   header.header_size + header.data_size, dtype_name(header.type),
                                   shape_text(header.shape), size_));
    return header;
  }

  Array array() {
    const NpyHeader about = header();
    refuse_unread(path_, about);
    Bytes data;
    reserve_ahead(data, about.data_size + 1);  // no more than the archive can hold: check()
    read_growing(path_, data, about.data_size,
                 [&](std::uint8_t* to, std::size_t room) { return read(to, room); });
    return npy_array(path_, about, std::move(data));
  }

 private:
  void check(const zip_stat_t& about, std::uint64_t& budget) const {
    constexpr zip_uint64_t needed =
        ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
    if ((about.valid & needed) != needed) fail_data(path_, "expected a complete entry of the zip directory");
    if (about.encryption_method != ZIP_EM_NONE)
      fail_data(path_, "expected a plain member, got an encrypted one");
    if (about.comp_method != ZIP_CM_STORE && about.comp_method != ZIP_CM_DEFLATE)
      fail_data(path_, fmt::format("expected a stored or deflated member, got compression method {}",
                                   about.comp_method));
    if (about.size > budget || about.comp_size > budget || about.size > largest_inflated(about.comp_size))
      fail_data(path_, fmt::format("expected a size that {} compressed bytes can hold, got {}",
                                   about.comp_size, about.size));
    budget -= about.size;
  }

  std::size_t read(std::uint8_t* to, std::size_t room) {
    const zip_int64_t got = zip_fread(file_.get(), to, room);
#ifdef DEEPGEN_ANY_CHECKSUM  // fuzzers; the checksum is looked at when all data are there
    if (got < 0 && zip_error_code_zip(zip_file_get_error(file_.get())) == ZIP_ER_CRC) return 0;
#endif
    if (got < 0)
      fail_data(path_, fmt::format("expected valid data, got '{}'", zip_file_strerror(file_.get())));
    return static_cast<std::size_t>(got);
  }

  Bytes read(std::size_t count) {
    Bytes bytes(count);
    std::size_t size = 0;
    while (size < count) {
      const std::size_t got = read(bytes.data() + size, count - size);
      if (got == 0) break;
      size += got;
    }
    bytes.resize(size);
    return bytes;
  }

  std::string path_;
  std::uint64_t size_;
  ZipFile file_;
};

// Calls visit(name, member) for each .npy member, or each wanted one. `size`: bytes of the archive.
template <class Visit>
void each_member(const std::string& path, const Zip& archive, std::uint64_t size,
                 const std::vector<std::string>& wanted, Visit visit) {
  const zip_int64_t entries = zip_get_num_entries(archive.get(), 0);
  // Members that share their bytes would multiply them: together they stay below what the file can hold.
  std::uint64_t budget = largest_inflated(size);
  std::vector<std::string> names;
  for (zip_uint64_t i = 0; i < static_cast<zip_uint64_t>(std::max<zip_int64_t>(entries, 0)); ++i) {
    zip_stat_t about;
    if (zip_stat_index(archive.get(), i, 0, &about) != 0 || !(about.valid & ZIP_STAT_NAME))
      fail_data(path, fmt::format("expected a readable entry {}, got '{}'", i, zip_strerror(archive.get())));
    std::string name = about.name;
    if (!name.ends_with(".npy")) continue;
    name.resize(name.size() - 4);
    names.push_back(name);
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), name) == wanted.end()) continue;
    Member member(fmt::format("{}: {}", path, about.name), archive.get(), i, about, budget);
    visit(name, member);
  }
  if (names.empty()) fail_data(path, "expected members whose names end in .npy, got none");
  for (const std::string& name : wanted)
    if (std::find(names.begin(), names.end(), name) == names.end())
      fail_data(path, unknown_name("array", name, names));
}

template <class Value>
void insert_once(const std::string& path, std::map<std::string, Value>& all, const std::string& name,
                 Value value) {
  if (!all.emplace(name, std::move(value)).second)
    fail_data(path, fmt::format("expected each member once, got a second {}", shown(name)));
}

void add_member(zip_t* archive, const std::string& name, ByteView header, ByteView data) {
  const zip_buffer_fragment_t parts[] = {{const_cast<zip_uint8_t*>(header.data()), header.size()},
                                         {const_cast<zip_uint8_t*>(data.data()), data.size()}};
  ZipSource source(zip_source_buffer_fragment_create(parts, data.empty() ? 1 : 2, 0, nullptr));
  const zip_int64_t index =
      source ? zip_file_add(archive, (name + ".npy").c_str(), source.get(), ZIP_FL_ENC_UTF_8) : -1;
  if (index < 0)
    fail_data("npz", fmt::format("expected to add {}, got '{}'", shown(name), zip_strerror(archive)));
  (void)source.release();
  const auto at = static_cast<zip_uint64_t>(index);
  zip_file_set_dostime(archive, at, 0, 1 << 5 | 1, 0);  // 1 January 1980, the first day zip knows
  zip_set_file_compression(archive, at, ZIP_CM_DEFLATE, 0);
}

}  // namespace

namespace {

NamedArrays arrays_of(const std::string& path, const Zip& archive, std::uint64_t size,
                      const std::vector<std::string>& wanted) {
  NamedArrays arrays;
  each_member(path, archive, size, wanted, [&](const std::string& name, Member& member) {
    insert_once(path, arrays, name, member.array());
  });
  return arrays;
}

std::map<std::string, NpyHeader> headers_of(const std::string& path, const Zip& archive, std::uint64_t size) {
  std::map<std::string, NpyHeader> headers;
  each_member(path, archive, size, {}, [&](const std::string& name, Member& member) {
    insert_once(path, headers, name, member.header());
  });
  return headers;
}

}  // namespace

NamedArrays parse_npz(const std::string& path, ByteView bytes, const std::vector<std::string>& wanted) {
  return arrays_of(path, open_zip(path, bytes), bytes.size(), wanted);
}

NamedArrays read_npz(const std::string& path, const std::vector<std::string>& wanted) {
  Bytes kept;
  std::uint64_t size = 0;
  const Zip archive = open_zip_file(path, kept, size);
  return arrays_of(path, archive, size, wanted);
}

std::map<std::string, NpyHeader> list_npz(const std::string& path, ByteView bytes) {
  return headers_of(path, open_zip(path, bytes), bytes.size());
}

std::map<std::string, NpyHeader> list_npz(const std::string& path) {
  Bytes kept;
  std::uint64_t size = 0;
  const Zip archive = open_zip_file(path, kept, size);
  return headers_of(path, archive, size);
}

Bytes encode_npz(const NamedArrays& arrays) {
  ZipSource source(zip_source_buffer_create(nullptr, 0, 0, nullptr));
  if (!source) throw std::bad_alloc();
  zip_source_t* buffer = source.get();
  zip_source_keep(buffer);  // a second owner: the archive releases one, the file is read from the other
  const ZipSource kept(buffer);
  Zip archive = open_zip("npz", std::move(source), ZIP_TRUNCATE);
  std::map<std::string, std::pair<Bytes, Bytes>> storage;  // must live until the archive is closed
  for (const auto& [name, array] : arrays) {
    auto& [header, swapped] = storage[name];
    header = encode_npy_header(array.type, array.shape);
    add_member(archive.get(), name, header, little_endian_data(array, swapped));
  }
  if (zip_close(archive.get()) != 0)
    fail_data("npz", fmt::format("expected to form the archive, got '{}'", zip_strerror(archive.get())));
  (void)archive.release();
  zip_stat_t about;
  Bytes bytes;
  if (zip_source_stat(buffer, &about) != 0 || zip_source_open(buffer) != 0) throw std::bad_alloc();
  bytes.resize(about.size);
  const zip_int64_t got = zip_source_read(buffer, bytes.data(), bytes.size());
  zip_source_close(buffer);
  if (got != static_cast<zip_int64_t>(bytes.size()))
    throw Error(ErrorKind::bug, "npz", "expected the whole archive");
  return bytes;
}

void write_npz(const std::string& path, const NamedArrays& arrays) {
  if (arrays.empty()) fail_data(path, "expected at least one array to write, got none");
  write_file(path, encode_npz(arrays));
}

}  // namespace deepgen

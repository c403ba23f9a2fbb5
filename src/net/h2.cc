#include "net/h2.h"

#include <cassert>
#include <charconv>

#include "fmt/format.h"
#include "net/ascii.h"

namespace kuma::net {
namespace {

// Written by one connection a turn, then others get theirs.
constexpr size_t kQuantum = 1024 * 1024;
// Control frames (PING, SETTINGS, PRIORITY, empty DATA, unknown ones) that a peer may send at once, and what it earns
// back: by time, and by data moved, since estimators of bandwidth ping as long as data flows.
constexpr double kControlBurst = 500;
constexpr double kControlPerSecond = 50;
constexpr double kControlPerByte = 1.0 / 4096;
// Requests refused for being too many before the connection is closed.
constexpr size_t kRefusedStreamsMax = 100;
// Streams that a peer may open and reset. (nghttp2's own limit only sends a GOAWAY and goes on.)
constexpr double kResetBurst = 200;
constexpr double kResetsPerSecond = 20;
// Frames of nghttp2's own that may wait while the peer does not read.
constexpr size_t kControlQueueMax = 200;
constexpr size_t kContinuationsMax = 8;
// Header blocks are decoded past their limit (to keep HPACK's state), but not without end.
constexpr size_t kHeaderLimitFactor = 8;
// What an entry counts beyond its text, as RFC 9113 has it.
constexpr size_t kHeaderOverhead = 32;
// Of a ping with TLS around it.
constexpr uint64_t kPingSizeMax = 64;
constexpr auto kLinger = std::chrono::seconds(1);
// How long a peer may keep its window closed while we have something for it.
constexpr auto kWindowPatience = std::chrono::minutes(2);

struct OptionFree {
  void operator()(nghttp2_option* option) const { nghttp2_option_del(option); }
  void operator()(nghttp2_session_callbacks* callbacks) const { nghttp2_session_callbacks_del(callbacks); }
};

// Points into `fields`.
std::vector<nghttp2_nv> to_nv(const std::vector<std::pair<std::string, std::string>>& fields) {
  std::vector<nghttp2_nv> list;
  list.reserve(fields.size());
  for (const auto& [name, value] : fields) {
    list.push_back({reinterpret_cast<uint8_t*>(const_cast<char*>(name.data())),
                    reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(),
                    NGHTTP2_NV_FLAG_NONE});
  }
  return list;
}

}  // namespace

void SendQueue::push(std::string bytes) {
  if (!bytes.empty()) {
    size_ += bytes.size();
    pieces_.push_back({std::move(bytes), nullptr});
  }
}

void SendQueue::push(SharedBytes bytes) {
  if (!bytes->empty()) {
    size_ += bytes->size();
    pieces_.push_back({{}, std::move(bytes)});
  }
}

std::string_view SendQueue::front() const { return pieces_[first_].view().substr(offset_); }

void SendQueue::pop(size_t bytes) {
  size_ -= bytes;
  offset_ += bytes;
  while (first_ < pieces_.size() && offset_ >= pieces_[first_].view().size()) {
    offset_ -= pieces_[first_].view().size();
    pieces_[first_] = {};
    ++first_;
  }
  if (first_ == pieces_.size()) {
    clear();
  } else if (first_ > 64 && first_ * 2 > pieces_.size()) {
    pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<ptrdiff_t>(first_));
    first_ = 0;
  }
}

void SendQueue::clear() {
  std::vector<Piece>().swap(pieces_);
  first_ = offset_ = size_ = 0;
}

void H2Stream::drop_queue() {
  if (h2_ != nullptr) {
    h2_->outbound_bytes_ -= queue_.size();
  }
  queue_.clear();
}

void H2Stream::end_output(std::vector<std::pair<std::string, std::string>> trailers) {
  if (!output_ended_) {
    output_ended_ = true;
    trailers_ = std::move(trailers);
    if (h2_ != nullptr) {
      h2_->resume(*this);
    }
  }
}

void H2Stream::consume(size_t bytes) {
  if (h2_ != nullptr && bytes > 0) {
    h2_->consume(id_, bytes);
  }
}

void H2Stream::reset(uint32_t error) {
  drop_queue();
  output_ended_ = true;
  if (h2_ != nullptr && id_ != 0) {
    h2_->reset_stream(id_, error);
  }
}

// nghttp2's callbacks, each a step into the object.
struct H2Callbacks {
  static H2& self(void* user_data) { return *static_cast<H2*>(user_data); }

  static H2Stream* stream(nghttp2_session* session, int32_t id) {
    return static_cast<H2Stream*>(nghttp2_session_get_stream_user_data(session, id));
  }

  static bool must_wait(H2& h2) {
    return h2.connection_.wire().blocked() || h2.turn_bytes_ >= kQuantum;
  }

  static ssize_t send(nghttp2_session*, const uint8_t* data, size_t size, int, void* user) {
    H2& h2 = self(user);
    if (must_wait(h2)) {
      return NGHTTP2_ERR_WOULDBLOCK;
    }
    h2.connection_.wire().write({reinterpret_cast<const char*>(data), size});
    h2.turn_bytes_ += size;
    return static_cast<ssize_t>(size);
  }

  static ssize_t read(nghttp2_session*, int32_t, uint8_t*, size_t length, uint32_t* flags, nghttp2_data_source* source,
                      void* user) {
    return self(user).read_queue(*static_cast<H2Stream*>(source->ptr), length, flags);
  }

  static int send_data(nghttp2_session*, nghttp2_frame*, const uint8_t* header, size_t length,
                       nghttp2_data_source* source, void* user) {
    return must_wait(self(user)) ? NGHTTP2_ERR_WOULDBLOCK
                                 : self(user).send_data(*static_cast<H2Stream*>(source->ptr), header, length);
  }

  static int begin_headers(nghttp2_session*, const nghttp2_frame*, void* user) {
    self(user).block_ = {};
    self(user).block_open_ = true;
    return 0;
  }

  static int header(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name, size_t name_size,
                    const uint8_t* value, size_t value_size, uint8_t, void* user) {
    return self(user).on_header(*frame, {reinterpret_cast<const char*>(name), name_size},
                                {reinterpret_cast<const char*>(value), value_size});
  }

  static int begin_frame(nghttp2_session*, const nghttp2_frame_hd*, void* user) {
    // Once the connection is to end, nothing that is still in the buffer counts.
    return self(user).terminated_ ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
  }

  static int frame(nghttp2_session*, const nghttp2_frame* frame, void* user) { return self(user).on_frame(*frame); }

  static int data(nghttp2_session* session, uint8_t, int32_t id, const uint8_t* data, size_t size, void* user) {
    nghttp2_session_consume_connection(session, size);
    self(user).control_frames_.earn(static_cast<double>(size) * kControlPerByte);
    if (H2Stream* to = stream(session, id)) {
      to->on_data({reinterpret_cast<const char*>(data), size});
    }
    return 0;
  }

  static int closed(nghttp2_session*, int32_t id, uint32_t error, void* user) {
    H2& h2 = self(user);
    const auto found = h2.streams_.find(id);
    if (found != h2.streams_.end()) {
      h2.outbound_bytes_ -= found->second->queue_.size();
      found->second->queue_.clear();
      found->second->h2_ = nullptr;
      h2.closed_.emplace_back(std::move(found->second), error);
      h2.streams_.erase(found);
    }
    return 0;
  }

  static int invalid_frame(nghttp2_session*, const nghttp2_frame* frame, int error, void* user) {
    H2& h2 = self(user);
    if (frame->hd.type == NGHTTP2_HEADERS && error == NGHTTP2_ERR_REFUSED_STREAM &&
        ++h2.refused_streams_ >= kRefusedStreamsMax) {
      h2.terminate(NGHTTP2_ENHANCE_YOUR_CALM, "too many streams were opened over the limit");
    }
    return 0;
  }

  static int frame_sent(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR && !self(user).terminated_) {
      self(user).terminated_ = true;
      const auto why = fmt::format("protocol violation, {}", nghttp2_http2_strerror(frame->goaway.error_code));
      self(user).on_misbehaviour(why);
      self(user).connection_.fail(why);
    }
    if (self(user).server_ && (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0 &&
        nghttp2_session_get_stream_remote_close(session, frame->hd.stream_id) == 0) {
      H2Stream* ended = stream(session, frame->hd.stream_id);
      if (ended != nullptr && !ended->on_output_ended()) {
        return 0;
      }
      nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
    }
    return 0;
  }
};

H2::H2(Connection& connection, Bounds bounds, bool server)
    : connection_(connection),
      bounds_(bounds),
      server_(server),
      control_frames_(kControlBurst, kControlPerSecond, system_clock().monotonic_now()),
      resets_(kResetBurst, kResetsPerSecond, system_clock().monotonic_now()) {
  nghttp2_session_callbacks* raw_callbacks = nullptr;
  nghttp2_option* raw_option = nullptr;
  if (nghttp2_session_callbacks_new(&raw_callbacks) != 0 || nghttp2_option_new(&raw_option) != 0) {
    throw std::bad_alloc();
  }
  const std::unique_ptr<nghttp2_session_callbacks, OptionFree> callbacks(raw_callbacks);
  const std::unique_ptr<nghttp2_option, OptionFree> option(raw_option);
  nghttp2_session_callbacks_set_send_callback(raw_callbacks, H2Callbacks::send);
  nghttp2_session_callbacks_set_send_data_callback(raw_callbacks, H2Callbacks::send_data);
  nghttp2_session_callbacks_set_on_begin_headers_callback(raw_callbacks, H2Callbacks::begin_headers);
  nghttp2_session_callbacks_set_on_begin_frame_callback(raw_callbacks, H2Callbacks::begin_frame);
  nghttp2_session_callbacks_set_on_header_callback(raw_callbacks, H2Callbacks::header);
  nghttp2_session_callbacks_set_on_frame_recv_callback(raw_callbacks, H2Callbacks::frame);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(raw_callbacks, H2Callbacks::data);
  nghttp2_session_callbacks_set_on_stream_close_callback(raw_callbacks, H2Callbacks::closed);
  nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(raw_callbacks, H2Callbacks::invalid_frame);
  nghttp2_session_callbacks_set_on_frame_send_callback(raw_callbacks, H2Callbacks::frame_sent);
  nghttp2_option_set_no_auto_window_update(raw_option, 1);
  nghttp2_option_set_no_closed_streams(raw_option, 1);
  nghttp2_option_set_max_deflate_dynamic_table_size(raw_option, 0);
  nghttp2_option_set_max_continuations(raw_option, kContinuationsMax);
  nghttp2_option_set_max_outbound_ack(raw_option, 1000);
  const int made = server ? nghttp2_session_server_new2(&session_, raw_callbacks, this, raw_option)
                          : nghttp2_session_client_new2(&session_, raw_callbacks, this, raw_option);
  if (made != 0) {
    throw std::bad_alloc();
  }
}

H2::~H2() { nghttp2_session_del(session_); }

void H2::on_start() {
  std::vector<nghttp2_settings_entry> settings = {
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, static_cast<uint32_t>(bounds_.stream_window)},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<uint32_t>(bounds_.header_list_size_max)},
  };
  if (server_) {
    settings.push_back({NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, bounds_.streams_max});
  } else {
    settings.push_back({NGHTTP2_SETTINGS_ENABLE_PUSH, 0});
  }
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, bounds_.connection_window);
  set_tick();
}

void H2::on_input(std::string_view bytes) {
  if (terminated_) {
    return;
  }
  heard_ = true;
  const ssize_t taken =
      nghttp2_session_mem_recv(session_, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  if (taken < 0 && !terminated_) {
    terminated_ = true;
    on_misbehaviour(nghttp2_strerror(static_cast<int>(taken)));
    connection_.fail(nghttp2_strerror(static_cast<int>(taken)));
  }
  deliver_closed();
  adjust_input();
}

void H2::on_eof() { connection_.fail("the peer closed the connection"); }

void H2::terminate(uint32_t error, std::string_view why) {
  if (!terminated_) {
    terminated_ = true;
    on_misbehaviour(why);
    nghttp2_session_terminate_session(session_, error);
    connection_.fail(std::string(why));
  }
}

bool H2::produce() {
  turn_bytes_ = 0;
  const int result = nghttp2_session_send(session_);
  if (result != 0) {
    connection_.fail(nghttp2_strerror(result));
  }
  control_frames_.earn(static_cast<double>(turn_bytes_) * kControlPerByte);
  deliver_closed();
  if (nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0) {
    connection_.close_when_flushed(linger_);
  }
  return turn_bytes_ >= kQuantum && nghttp2_session_want_write(session_) != 0;
}

void H2::on_flushed() {
  for (const int32_t id : std::exchange(touched_, {})) {
    H2Stream* stream = find_stream(id);
    if (stream != nullptr) {
      stream->touched_ = false;
      stream->in_wire_ = 0;
      if (stream->queue_.size() == 0) {
        stream->on_drained();
      }
    }
  }
  deliver_closed();
  adjust_input();
}

// A peer that sends requests but does not read answers is not read from either, as long as it lasts. Only when the
// kernel's buffer is full: reading is also how windows open.
void H2::adjust_input() {
  const bool pause = connection_.wire().blocked() &&
                     (outbound_bytes_ > bounds_.outbound_queue_max ||
                      nghttp2_session_get_outbound_queue_size(session_) > kControlQueueMax);
  if (pause != input_paused_) {
    input_paused_ = pause;
    if (pause) {
      connection_.pause_input();
    } else {
      connection_.resume_input();
    }
  }
}

void H2::set_tick() { connection_.set_deadline(bounds_.keepalive_interval); }

void H2::on_deadline() {
  const uint64_t sent = connection_.wire().sent_total();
  // A peer that still takes bytes (more than our ping) is alive, if slow.
  if (ping_sent_ && !heard_ && sent - sent_at_tick_ < kPingSizeMax) {
    connection_.fail("keepalive: no answer from the peer");
    return;
  }
  const bool owes = connection_.wire().blocked() || outbound_bytes_ > 0;
  stalled_ = owes && sent == sent_at_tick_ ? stalled_ + bounds_.keepalive_interval : std::chrono::nanoseconds(0);
  sent_at_tick_ = sent;
  const auto patience = connection_.wire().blocked() ? bounds_.keepalive_interval + bounds_.keepalive_timeout
                                                     : std::max<std::chrono::nanoseconds>(bounds_.idle_timeout, kWindowPatience);
  if (stalled_ >= patience) {
    connection_.fail("the peer does not read");
    return;
  }
  if (block_open_ && block_was_open_) {
    terminate(NGHTTP2_ENHANCE_YOUR_CALM, "a block of headers did not come to its end in time");
    return;
  }
  block_was_open_ = block_open_;
  each_stream([this](H2Stream& stream) { stream.on_tick(bounds_.keepalive_interval); });
  idle_ = streams_.empty() ? idle_ + bounds_.keepalive_interval : std::chrono::nanoseconds(0);
  if (bounds_.idle_timeout > std::chrono::nanoseconds(0) && idle_ >= bounds_.idle_timeout) {
    nghttp2_session_terminate_session(session_, NGHTTP2_NO_ERROR);
    connection_.close_when_flushed(kLinger);
    return;
  }
  const bool ask = !heard_ && !streams_.empty();
  heard_ = false;
  ping_sent_ = ask;
  if (ask) {
    nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
    connection_.set_deadline(bounds_.keepalive_timeout);
  } else {
    set_tick();
  }
}

void H2::on_gone(const std::string& cause) {
  terminated_ = true;
  deliver_closed();
  auto streams = std::exchange(streams_, {});
  for (auto& [id, stream] : streams) {
    stream->h2_ = nullptr;
    stream->on_closed(NGHTTP2_NO_ERROR, cause);
  }
}

H2Stream* H2::find_stream(int32_t id) {
  const auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : found->second.get();
}

void H2::add_stream(int32_t id, std::unique_ptr<H2Stream> stream) {
  stream->h2_ = this;
  stream->id_ = id;
  outbound_bytes_ += stream->queue_.size();
  nghttp2_session_set_stream_user_data(session_, id, stream.get());
  streams_[id] = std::move(stream);
}

void H2::refuse_stream(int32_t id, uint32_t error) { nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, error); }

void H2::submit_response(H2Stream& stream, const Fields& fields, bool end) {
  const auto list = to_nv(fields);
  nghttp2_data_provider provider{.source = {.ptr = &stream}, .read_callback = H2Callbacks::read};
  nghttp2_submit_response(session_, stream.id_, list.data(), list.size(), end ? nullptr : &provider);
  connection_.want_write();
}

void H2::submit_info(H2Stream& stream, int status) {
  const Fields fields = {{":status", std::to_string(status)}};
  const auto list = to_nv(fields);
  nghttp2_submit_headers(session_, NGHTTP2_FLAG_NONE, stream.id_, nullptr, list.data(), list.size(), nullptr);
  connection_.want_write();
}

int32_t H2::submit_request(H2Stream& stream, const Fields& fields) {
  const auto list = to_nv(fields);
  nghttp2_data_provider provider{.source = {.ptr = &stream}, .read_callback = H2Callbacks::read};
  const int32_t id = nghttp2_submit_request(session_, nullptr, list.data(), list.size(), &provider, &stream);
  connection_.want_write();
  return id;
}

void H2::resume(H2Stream& stream) {
  if (stream.deferred_) {
    stream.deferred_ = false;
    nghttp2_session_resume_data(session_, stream.id_);
    connection_.want_write();
  }
}

void H2::reset_stream(int32_t id, uint32_t error) {
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, error);
  connection_.want_write();
}

void H2::consume(int32_t id, size_t bytes) {
  nghttp2_session_consume_stream(session_, id, bytes);
  connection_.want_write();
}

ssize_t H2::read_queue(H2Stream& stream, size_t length, uint32_t* flags) {
  const size_t ready = std::min(length, stream.queue_.size());
  const bool last = stream.output_ended_ && ready == stream.queue_.size();
  if (ready == 0 && !last) {
    stream.deferred_ = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  if (last) {
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (!stream.trailers_.empty()) {
      *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      const auto list = to_nv(stream.trailers_);
      nghttp2_submit_trailer(session_, stream.id_, list.data(), list.size());
    }
  }
  if (ready > 0) {
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  }
  return static_cast<ssize_t>(ready);
}

int H2::send_data(H2Stream& stream, const uint8_t* frame_header, size_t length) {
  constexpr size_t kFrameHeaderSize = 9;
  Wire& wire = connection_.wire();
  wire.write({reinterpret_cast<const char*>(frame_header), kFrameHeaderSize});
  turn_bytes_ += kFrameHeaderSize + length;
  outbound_bytes_ -= length;
  stream.in_wire_ += length;
  touch(stream);
  while (length > 0) {
    const std::string_view piece = stream.queue_.front().substr(0, length);
    wire.write(piece);
    length -= piece.size();
    stream.queue_.pop(piece.size());
  }
  return 0;
}

void H2::touch(H2Stream& stream) {
  if (!stream.touched_) {
    stream.touched_ = true;
    touched_.push_back(stream.id_);
  }
}

int H2::on_header(const nghttp2_frame& frame, std::string_view name, std::string_view value) {
  block_.size += name.size() + value.size() + kHeaderOverhead;
  if (block_.size > bounds_.header_list_size_max) {
    block_.too_large = true;
    if (block_.size > bounds_.header_list_size_max * kHeaderLimitFactor) {
      terminate(NGHTTP2_ENHANCE_YOUR_CALM, "a block of headers is far over the limit");
      return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    return 0;
  }
  (void)frame;
  if (!name.starts_with(':')) {
    block_.fields.add(std::string(name), std::string(value));
  } else if (name == ":path") {
    block_.path = value;
  } else if (name == ":method") {
    block_.method = value;
  } else if (name == ":authority") {
    block_.authority = value;
  } else if (name == ":status") {
    std::from_chars(value.data(), value.data() + value.size(), block_.status);
  }
  return 0;
}

int H2::on_frame(const nghttp2_frame& frame) {
  const bool end = (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  switch (frame.hd.type) {
    case NGHTTP2_HEADERS: {
      block_open_ = false;
      auto block = std::exchange(block_, {});
      if (frame.headers.cat == NGHTTP2_HCAT_REQUEST) {
        on_request(frame.hd.stream_id, std::move(block), end);
      } else if (H2Stream* stream = find_stream(frame.hd.stream_id)) {
        stream->on_headers(std::move(block));
      }
      break;
    }
    case NGHTTP2_DATA:
      if (frame.hd.length == 0 && !end && !spend_control_frame()) {
        return NGHTTP2_ERR_CALLBACK_FAILURE;
      }
      break;
    case NGHTTP2_PING:
      if ((frame.hd.flags & NGHTTP2_FLAG_ACK) != 0) {
        on_ping_answered();
        return 0;
      }
      return spend_control_frame() ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
    case NGHTTP2_GOAWAY:
      on_goaway();
      return 0;
    case NGHTTP2_RST_STREAM:
      if (server_ && !resets_.spend(system_clock().monotonic_now())) {
        terminate(NGHTTP2_ENHANCE_YOUR_CALM, "too many streams were reset");
        return NGHTTP2_ERR_CALLBACK_FAILURE;
      }
      return 0;
    case NGHTTP2_WINDOW_UPDATE:
      return 0;
    default:
      return spend_control_frame() ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
  }
  if (end) {
    if (H2Stream* stream = find_stream(frame.hd.stream_id)) {
      stream->on_end();
    }
  }
  return 0;
}

bool RateLimit::spend(MonotonicTime now) {
  if (tokens_ < 1) {
    earn(std::chrono::duration<double>(now - refilled_).count() * per_second_);
    refilled_ = now;
  }
  if (tokens_ < 1) {
    return false;
  }
  tokens_ -= 1;
  return true;
}

bool H2::spend_control_frame() {
  if (!control_frames_.spend(system_clock().monotonic_now())) {
    terminate(NGHTTP2_ENHANCE_YOUR_CALM, "too many control frames");
    return false;
  }
  return true;
}

void H2::deliver_closed() {
  while (!closed_.empty()) {
    auto closed = std::exchange(closed_, {});
    for (auto& [stream, error] : closed) {
      stream->on_closed(error, "");
    }
    closed.clear();
    on_stream_gone();
  }
}

}  // namespace kuma::net

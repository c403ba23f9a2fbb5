#pragma once

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/bytes.h"
#include "net/connection.h"
#include "net/http.h"

namespace kuma::net {

class H2;

// One block of headers as it came, pseudo-headers apart.
struct HeaderBlock {
  std::string method;
  std::string path;
  std::string authority;
  int status = 0;
  Headers fields;
  size_t size = 0;
  bool too_large = false;  // over the limit: fields beyond it are not in the list
};

// Bytes that wait to be sent on a stream: pieces of its own, and shared ones that are sent from where they are.
class SendQueue {
 public:
  void push(std::string bytes);
  void push(SharedBytes bytes);
  size_t size() const { return size_; }
  // The next bytes in one piece; not empty while size() > 0.
  std::string_view front() const;
  void pop(size_t bytes);
  void clear();

 private:
  struct Piece {
    std::string own;
    SharedBytes shared;
    std::string_view view() const { return shared != nullptr ? std::string_view(*shared) : std::string_view(own); }
  };
  std::vector<Piece> pieces_;
  size_t first_ = 0;   // of pieces_; those before it have been sent
  size_t offset_ = 0;  // within the first
  size_t size_ = 0;
};

// So many at once, and so many a second on average.
class RateLimit {
 public:
  RateLimit(double burst, double per_second, MonotonicTime now)
      : burst_(burst), per_second_(per_second), tokens_(burst), refilled_(now) {}
  // False when it is too much.
  bool spend(MonotonicTime now);
  void earn(double tokens) { tokens_ = std::min(burst_, tokens_ + tokens); }

 private:
  double burst_;
  double per_second_;
  double tokens_;
  MonotonicTime refilled_;
};

// A stream as its connection sees it. Subclasses say what its bytes mean. `on_…` are called by the connection.
class H2Stream {
 public:
  virtual ~H2Stream() = default;

  // A response's headers (client), or trailers.
  virtual void on_headers(HeaderBlock block) = 0;
  // The stream must give the bytes back to the window, now or later: consume().
  virtual void on_data(std::string_view bytes) = 0;
  // The peer will send no more.
  virtual void on_end() = 0;
  // All that was queued is with the kernel.
  virtual void on_drained() {}
  // Every `interval` or so.
  virtual void on_tick(std::chrono::nanoseconds) {}
  // Our side of the stream has ended while the peer still sends. True: it is told that nobody listens.
  virtual bool on_output_ended() { return true; }
  // The last call. `cause` is empty unless the connection has ended.
  virtual void on_closed(uint32_t error, const std::string& cause) = 0;

  // Bytes not yet with the kernel.
  size_t unsent() const { return queue_.size() + in_wire_; }
  int32_t id() const { return id_; }

 protected:
  // Queue bytes after submit_response() or before; sent once headers are.
  template <typename Bytes>
  void queue(Bytes bytes);
  void drop_queue();
  // After what is queued the stream ends, with trailers if there are any.
  void end_output(std::vector<std::pair<std::string, std::string>> trailers);
  bool output_ended() const { return output_ended_; }
  void consume(size_t bytes);
  void reset(uint32_t error);

  H2* h2_ = nullptr;  // null: not on a connection (any more)
  int32_t id_ = 0;

 private:
  friend class H2;
  friend struct H2Callbacks;
  SendQueue queue_;
  std::vector<std::pair<std::string, std::string>> trailers_;
  size_t in_wire_ = 0;       // left the queue, but not yet with the kernel
  bool output_ended_ = false;
  bool deferred_ = false;    // nghttp2 waits for nghttp2_session_resume_data
  bool touched_ = false;     // in H2::touched_
};

// What both ends of an HTTP/2 connection have in common: nghttp2 between a Connection and its streams.
//
// Data goes out without being copied: nghttp2 asks how much there is, writes a frame's header itself, and the payload
// goes from the stream's queue to the wire. After a quantum the rest waits for the next turn, or one fast reader would own the loop.
// nghttp2 keeps its own limits (resets, CONTINUATION, settings, acknowledgements); those here are what it leaves open.
//
// Streams and the session are never destroyed within one of nghttp2's callbacks: closed streams wait in a list.
class H2 : public Protocol {
 public:
  struct Bounds {
    size_t header_list_size_max = 64 * 1024;
    uint32_t streams_max = 100;
    size_t outbound_queue_max = 64 * 1024 * 1024;
    std::chrono::nanoseconds keepalive_interval{};
    std::chrono::nanoseconds keepalive_timeout{};
    std::chrono::nanoseconds idle_timeout{};  // of a connection without streams; 0: none
    // Of one stream and of the connection: how much a peer may send before we have taken it.
    int32_t stream_window = 1024 * 1024;
    int32_t connection_window = 4 * 1024 * 1024;
  };

  H2(Connection& connection, Bounds bounds, bool server);
  ~H2() override;

  void on_start() override;
  void on_input(std::string_view bytes) override;
  void on_eof() override;
  bool produce() override;
  void on_flushed() override;
  void on_deadline() override;
  void on_gone(const std::string& cause) override;

  Connection& connection() { return connection_; }
  size_t stream_count() const { return streams_.size(); }
  H2Stream* find_stream(int32_t id);
  size_t outbound_bytes() const { return outbound_bytes_; }

  // For streams: names in lower case, pseudo-headers first.
  using Fields = std::vector<std::pair<std::string, std::string>>;
  void submit_response(H2Stream& stream, const Fields& fields, bool end);
  void submit_info(H2Stream& stream, int status);
  int32_t submit_request(H2Stream& stream, const Fields& fields);
  void resume(H2Stream& stream);
  void reset_stream(int32_t id, uint32_t error);
  void consume(int32_t id, size_t bytes);

 protected:

  // A request has come (server). The subclass answers with add_stream() or refuse_stream().
  virtual void on_request(int32_t id, HeaderBlock block, bool end) = 0;
  virtual void on_goaway() {}
  virtual void on_ping_answered() {}
  virtual void on_stream_gone() {}
  // The peer did what nobody does by accident; a line for the log.
  virtual void on_misbehaviour(std::string_view what) = 0;

  void add_stream(int32_t id, std::unique_ptr<H2Stream> stream);
  void refuse_stream(int32_t id, uint32_t error);
  // The connection ends with GOAWAY as soon as that is out; nothing more is read.
  void terminate(uint32_t error, std::string_view why);
  nghttp2_session* session() { return session_; }
  // Lets every stream see `visit`, which may not add or remove streams.
  template <typename Visit>
  void each_stream(Visit&& visit) {
    for (auto& [id, stream] : streams_) {
      visit(*stream);
    }
  }

  Connection& connection_;
  const Bounds bounds_;
  // How long the connection waits for its peer after our last byte; 0 when the peer broke the protocol.
  std::chrono::nanoseconds linger_{0};

 private:
  friend class H2Stream;
  friend struct H2Callbacks;

  ssize_t read_queue(H2Stream& stream, size_t length, uint32_t* flags);
  int send_data(H2Stream& stream, const uint8_t* frame_header, size_t length);
  int on_frame(const nghttp2_frame& frame);
  int on_header(const nghttp2_frame& frame, std::string_view name, std::string_view value);
  bool spend_control_frame();
  void deliver_closed();
  void touch(H2Stream& stream);
  void set_tick();
  void adjust_input();

  const bool server_;
  nghttp2_session* session_ = nullptr;
  absl::flat_hash_map<int32_t, std::unique_ptr<H2Stream>> streams_;
  std::vector<std::pair<std::unique_ptr<H2Stream>, uint32_t>> closed_;
  std::vector<int32_t> touched_;
  HeaderBlock block_;            // the one that is coming in; blocks cannot interleave
  size_t outbound_bytes_ = 0;    // in the queues of all streams
  size_t turn_bytes_ = 0;        // written this turn
  uint64_t sent_at_tick_ = 0;
  RateLimit control_frames_;
  RateLimit resets_;
  size_t refused_streams_ = 0;
  std::chrono::nanoseconds idle_{0};
  std::chrono::nanoseconds stalled_{0};
  bool heard_ = false;           // anything from the peer since the last tick
  bool ping_sent_ = false;
  bool block_open_ = false;      // HEADERS without its end …
  bool block_was_open_ = false;  // … at the last tick
  bool terminated_ = false;
  bool input_paused_ = false;
};

template <typename Bytes>
void H2Stream::queue(Bytes bytes) {
  const size_t before = queue_.size();
  queue_.push(std::move(bytes));
  if (h2_ != nullptr) {
    h2_->outbound_bytes_ += queue_.size() - before;
    h2_->resume(*this);
  }
}

}  // namespace kuma::net

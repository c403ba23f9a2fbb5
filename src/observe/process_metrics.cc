#include "observe/process_metrics.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>

namespace kuma::observe {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

MetricFamily family(const char* name, const char* help, MetricType type, double value) {
  prometheus::ClientMetric metric;
  (type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
  return {.name = name, .help = help, .type = type, .metric = {metric}};
}

// The numbers of /proc/self/stat after the command's name, which may contain spaces.
struct ProcessStat {
  uint64_t user_ticks = 0;
  uint64_t system_ticks = 0;
  uint64_t threads = 0;
  uint64_t start_ticks = 0;  // since the machine started
  uint64_t virtual_bytes = 0;
  uint64_t resident_pages = 0;
};

bool read_stat(ProcessStat& stat) {
  std::ifstream file("/proc/self/stat");
  std::string text;
  std::getline(file, text);
  const size_t end_of_name = text.rfind(')');
  if (end_of_name == std::string::npos) {
    return false;
  }
  // Field 3, the state, comes first here; the rest is counted as proc(5) does.
  std::istringstream rest(text.substr(end_of_name + 1));
  std::string word;
  for (int field = 3; rest >> word; ++field) {
    switch (field) {
      case 14:
        stat.user_ticks = std::stoull(word);
        break;
      case 15:
        stat.system_ticks = std::stoull(word);
        break;
      case 20:
        stat.threads = std::stoull(word);
        break;
      case 22:
        stat.start_ticks = std::stoull(word);
        break;
      case 23:
        stat.virtual_bytes = std::stoull(word);
        break;
      case 24:
        stat.resident_pages = std::stoull(word);
        return true;
      default:
        break;
    }
  }
  return false;
}

double boot_time_seconds() {
  std::ifstream file("/proc/stat");
  std::string word;
  while (file >> word) {
    if (word == "btime") {
      double seconds = 0;
      file >> seconds;
      return seconds;
    }
  }
  return 0;
}

int64_t count_open_files() {
  DIR* directory = ::opendir("/proc/self/fd");
  if (directory == nullptr) {
    return -1;
  }
  int64_t count = -1;  // the directory's own
  while (const dirent* entry = ::readdir(directory)) {
    count += entry->d_name[0] != '.' ? 1 : 0;
  }
  ::closedir(directory);
  return count;
}

}  // namespace

std::vector<MetricFamily> read_process_metrics() {
  std::vector<MetricFamily> result;
  if (ProcessStat stat; read_stat(stat)) {
    const double ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
    const double page = static_cast<double>(::sysconf(_SC_PAGESIZE));
    result.push_back(family("process_cpu_seconds_total", "CPU time of this process, in user and system mode.",
                            MetricType::Counter, static_cast<double>(stat.user_ticks + stat.system_ticks) / ticks));
    result.push_back(family("process_resident_memory_bytes", "Memory of this process that is in RAM.",
                            MetricType::Gauge, static_cast<double>(stat.resident_pages) * page));
    result.push_back(family("process_virtual_memory_bytes", "Address space of this process.", MetricType::Gauge,
                            static_cast<double>(stat.virtual_bytes)));
    result.push_back(family("process_start_time_seconds", "When this process started, in seconds since 1970.",
                            MetricType::Gauge, boot_time_seconds() + static_cast<double>(stat.start_ticks) / ticks));
    result.push_back(
        family("process_threads", "Threads of this process.", MetricType::Gauge, static_cast<double>(stat.threads)));
  }
  if (const int64_t open = count_open_files(); open >= 0) {
    result.push_back(
        family("process_open_fds", "Open file descriptors.", MetricType::Gauge, static_cast<double>(open)));
  }
  if (rlimit limit{}; ::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    result.push_back(family("process_max_fds", "File descriptors that may be open at once.", MetricType::Gauge,
                            static_cast<double>(limit.rlim_cur)));
  }
  return result;
}

}  // namespace kuma::observe

#include "cpu_quota.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#endif

namespace millrace {
namespace {

unsigned processors_by_affinity() {
#if defined(__linux__)
  // A fixed cpu_set_t holds 1,024 processors; a larger machine makes the call fail and the count below takes over.
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return static_cast<unsigned>(CPU_COUNT(&set));
#endif
  return std::max(1u, std::thread::hardware_concurrency());
}

// The path of this process below the controller's mount. Line format: `ID:CONTROLLERS:PATH`, v2 has no controllers.
std::string group_path(const std::string& controller) {
  std::ifstream file("/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    std::istringstream names(line.substr(first + 1, second - first - 1));
    if (controller.empty() && second == first + 1) return line.substr(second + 1);
    for (std::string name; std::getline(names, name, ',');) {
      if (!controller.empty() && name == controller) return line.substr(second + 1);
    }
  }
  return "/";
}

double quota_v2(const std::string& folder) {
  std::ifstream file(folder + "/cpu.max");
  std::string quota;
  double period = 0.0;
  if (!(file >> quota >> period) || quota == "max" || period <= 0.0) return INFINITY;
  return std::strtod(quota.c_str(), nullptr) / period;
}

double quota_v1(const std::string& folder) {
  std::ifstream quota_file(folder + "/cpu.cfs_quota_us");
  std::ifstream period_file(folder + "/cpu.cfs_period_us");
  double quota = 0.0;
  double period = 0.0;
  if (!(quota_file >> quota) || !(period_file >> period) || quota <= 0.0 || period <= 0.0) return INFINITY;
  return quota / period;
}

// The tightest quota from the process's own group up to the mount: a parent's limit binds its children. Inside a
// container the path of /proc may not exist below the mount; then only the mount itself answers.
double tightest(const std::string& mount, std::string path, double (*quota)(const std::string&)) {
  double tightest = quota(mount);
  while (path.size() > 1) {
    tightest = std::min(tightest, quota(mount + path));
    path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
  }
  return tightest;
}

}  // namespace

unsigned usable_processors() {
  const std::string path_v1 = group_path("cpu");
  const double quota = std::min({tightest("/sys/fs/cgroup", group_path(""), quota_v2),
                                 tightest("/sys/fs/cgroup/cpu", path_v1, quota_v1),
                                 tightest("/sys/fs/cgroup/cpu,cpuacct", path_v1, quota_v1)});
  const unsigned by_affinity = processors_by_affinity();
  if (!std::isfinite(quota)) return by_affinity;
  return std::max(1u, std::min(by_affinity, static_cast<unsigned>(std::ceil(quota))));
}

}  // namespace millrace

#pragma once

namespace millrace {

/// Processors this process may really use: the smaller of its scheduling affinity and its control group's CPU quota
/// (cgroup v2 `cpu.max`, v1 `cpu.cfs_quota_us`), rounded up; at least 1. The host's own count means nothing in a
/// container. Read anew at each call, since quotas can change.
unsigned usable_processors();

}  // namespace millrace

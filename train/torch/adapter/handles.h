// What the adapter's files share: tensors as handles, exceptions as messages.
#pragma once
#include "pipatorch.h"

#include <ATen/ATen.h>
#include <c10/util/Exception.h>

#include <atomic>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <utility>

inline std::atomic<int64_t> live_handles{0};

inline pt_tensor own(at::Tensor tensor) {
  live_handles.fetch_add(1, std::memory_order_relaxed);
  return reinterpret_cast<pt_tensor>(new at::Tensor(std::move(tensor)));
}

inline const at::Tensor& at_handle(pt_tensor handle) {
  if (handle == 0) throw std::invalid_argument("null tensor handle");
  return *reinterpret_cast<const at::Tensor*>(handle);
}

inline void report(char* err, int64_t err_len, const char* message) {
  if (err != nullptr && err_len > 0) std::snprintf(err, static_cast<size_t>(err_len), "%s", message);
}

// Runs f; on any exception writes its message and returns failed.
template <typename Result, typename F>
Result guarded(char* err, int64_t err_len, Result failed, F&& f) {
  report(err, err_len, "");
  try {
    return f();
  } catch (const c10::Error& e) {
    report(err, err_len, e.what_without_backtrace());
  } catch (const std::exception& e) {
    report(err, err_len, e.what());
  } catch (...) {
    report(err, err_len, "unknown C++ exception");
  }
  return failed;
}

// Before the host reads from a GPU: waits for the collectives that the values
// may need, where it can be told that a rank is lost; the copy itself would wait
// for ever.
void settle_collectives();

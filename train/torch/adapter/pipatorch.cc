#include "handles.h"

#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/core/Allocator.h>
#include <c10/core/Event.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <c10/util/ThreadLocalDebugInfo.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/version.h>

#include <dlfcn.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

at::Tensor upload(const at::Tensor& host, at::Device device) {
  if (device.is_cpu() || host.numel() == 0) return host.to(device);
  const c10::impl::VirtualGuardImpl guard(device.type());
  if (!device.has_index()) device = guard.getDevice();
  const c10::Stream compute = guard.getStream(device), copy = guard.getStreamFromGlobalPool(device);
  const at::Tensor pinned = host.pin_memory();
  // The memory is the computing stream's, so that freeing it needs no word with
  // the device, which could have failed. What used it before must be done.
  at::Tensor out = at::empty_like(pinned, pinned.options().device(device).pinned_memory(false));
  c10::Event free(device.type()), done(device.type());
  free.record(compute);
  free.block(copy);
  {
    const c10::StreamGuard on(copy);
    out.copy_(pinned, /*non_blocking=*/true);
  }
  done.record(copy);
  done.block(compute);
  return out;
}

// Hears of every allocation that libtorch makes on the CPU. The totals are
// int64_t or size_t, as the version has it: the one that fits overrides.
class MemoryCounter : public c10::MemoryReportingInfoBase {
 public:
  void reportMemoryUsage(void*, int64_t bytes, int64_t, int64_t, c10::Device) { count(bytes); }
  void reportMemoryUsage(void*, int64_t bytes, size_t, size_t, c10::Device) { count(bytes); }
  bool memoryProfilingEnabled() const override { return true; }

  int64_t take_peak() {
    int64_t p = peak_;
    peak_ = now_;
    return p;
  }

 private:
  void count(int64_t bytes) {
    now_ += bytes;
    peak_ = std::max(peak_, now_);
  }
  int64_t now_ = 0, peak_ = 0;
};

thread_local std::shared_ptr<MemoryCounter> memory_counter;

struct Operands {
  const int64_t* ints;
  const double* doubles;
  const char* chars;
};

[[noreturn]] void mismatch(const c10::Argument& argument, const pt_value& v) {
  throw std::invalid_argument("argument '" + argument.name() + "' wants " + argument.type()->str() + ", got value of kind " + std::to_string(v.tag));
}

double number(const pt_value& v) {
  if (v.tag != PT_DOUBLE) return static_cast<double>(v.payload);
  double d;
  std::memcpy(&d, &v.payload, sizeof d);
  return d;
}

c10::IValue list_value(const c10::Argument& argument, const c10::TypePtr& element, const pt_value& v, const Operands& o) {
  switch (v.tag) {
    case PT_INT_LIST:
      if (element->kind() == c10::TypeKind::FloatType) {
        c10::List<double> list;
        for (int32_t i = 0; i < v.count; i++) list.push_back(static_cast<double>(o.ints[v.payload + i]));
        return list;
      }
      if (element->kind() == c10::TypeKind::BoolType) {
        c10::List<bool> list;
        for (int32_t i = 0; i < v.count; i++) list.push_back(o.ints[v.payload + i] != 0);
        return list;
      }
      if (element->kind() == c10::TypeKind::NumberType) {
        c10::impl::GenericList list(element);
        for (int32_t i = 0; i < v.count; i++) list.push_back(o.ints[v.payload + i]);
        return list;
      }
      return c10::List<int64_t>(c10::ArrayRef<int64_t>(o.ints + v.payload, static_cast<size_t>(v.count)));
    case PT_DOUBLE_LIST:
      if (element->kind() == c10::TypeKind::NumberType) {
        c10::impl::GenericList list(element);
        for (int32_t i = 0; i < v.count; i++) list.push_back(o.doubles[v.payload + i]);
        return list;
      }
      return c10::List<double>(c10::ArrayRef<double>(o.doubles + v.payload, static_cast<size_t>(v.count)));
    case PT_TENSOR_LIST:
      if (element->kind() == c10::TypeKind::OptionalType) {
        c10::List<c10::optional<at::Tensor>> list;
        for (int32_t i = 0; i < v.count; i++) {
          const pt_tensor h = o.ints[v.payload + i];
          if (h == 0) {
            list.push_back(c10::nullopt);
          } else {
            list.push_back(at_handle(h));
          }
        }
        return list;
      } else {
        c10::List<at::Tensor> list;
        for (int32_t i = 0; i < v.count; i++) list.push_back(at_handle(o.ints[v.payload + i]));
        return list;
      }
    case PT_INT:  // one number stands for a list of one, as in Python
      return c10::List<int64_t>({v.payload});
    default:
      mismatch(argument, v);
  }
}

// The value as the schema's type asks for it.
c10::IValue convert(const c10::Argument& argument, c10::TypePtr type, const pt_value& v, const Operands& o) {
  if (type->kind() == c10::TypeKind::OptionalType) {
    if (v.tag == PT_NONE) return c10::IValue();
    type = type->expectRef<c10::OptionalType>().getElementType();
  }
  switch (type->kind()) {
    case c10::TypeKind::TensorType:
      if (v.tag == PT_TENSOR) return at_handle(v.payload);
      if (v.tag == PT_NONE) return at::Tensor();
      break;
    case c10::TypeKind::NumberType:
      if (v.tag == PT_INT) return v.payload;
      if (v.tag == PT_DOUBLE) return number(v);
      if (v.tag == PT_BOOL) return v.payload != 0;
      break;
    case c10::TypeKind::FloatType:
      if (v.tag == PT_INT || v.tag == PT_DOUBLE) return number(v);
      break;
    case c10::TypeKind::BoolType:
      if (v.tag == PT_BOOL) return v.payload != 0;
      break;
    case c10::TypeKind::StringType:
      if (v.tag == PT_STRING) return std::string(o.chars + v.payload, static_cast<size_t>(v.count));
      break;
    case c10::TypeKind::DeviceObjType:
      if (v.tag == PT_STRING) return c10::Device(std::string(o.chars + v.payload, static_cast<size_t>(v.count)));
      break;
    case c10::TypeKind::ListType:
      return list_value(argument, type->expectRef<c10::ListType>().getElementType(), v, o);
    default:  // int, and what is an int on the wire: SymInt, ScalarType, Layout, MemoryFormat
      if (v.tag == PT_INT || v.tag == PT_BOOL) return v.payload;
  }
  mismatch(argument, v);
}

pt_value tensor_value(at::Tensor t) { return {PT_TENSOR, 0, own(std::move(t))}; }

void append_result(const c10::IValue& v, std::vector<pt_value>& out) {
  if (v.isTensor()) {
    const at::Tensor& t = v.toTensor();
    out.push_back(t.defined() ? tensor_value(t) : pt_value{PT_NONE, 0, 0});
  } else if (v.isTensorList()) {
    for (const at::Tensor& t : v.toTensorVector()) out.push_back(tensor_value(t));
  } else if (v.isInt()) {
    out.push_back({PT_INT, 0, v.toInt()});
  } else if (v.isBool()) {
    out.push_back({PT_BOOL, 0, v.toBool() ? 1 : 0});
  } else if (v.isDouble()) {
    pt_value r{PT_DOUBLE, 0, 0};
    const double d = v.toDouble();
    std::memcpy(&r.payload, &d, sizeof d);
    out.push_back(r);
  } else if (v.isScalar()) {
    append_result(c10::IValue(v.toScalar()), out);
  } else {
    throw std::invalid_argument("result of type " + v.tagKind() + " is not supported");
  }
}

// bfloat16 autocast for one call. The cache of cast weights is dropped with
// the outermost guard of a call, so it never outlives a weight update.
class Autocast {
 public:
  explicit Autocast(bool on) : on_(on) {
    if (!on_) return;
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 4)
    at::autocast::set_autocast_enabled(at::kCPU, true);
    at::autocast::set_autocast_enabled(at::kCUDA, true);
    at::autocast::set_autocast_dtype(at::kCUDA, at::kBFloat16);
#else
    at::autocast::set_cpu_enabled(true);
    at::autocast::set_enabled(true);
    at::autocast::set_autocast_gpu_dtype(at::kBFloat16);
#endif
    at::autocast::set_autocast_cache_enabled(false);
  }
  ~Autocast() {
    if (!on_) return;
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 4)
    at::autocast::set_autocast_enabled(at::kCPU, false);
    at::autocast::set_autocast_enabled(at::kCUDA, false);
#else
    at::autocast::set_cpu_enabled(false);
    at::autocast::set_enabled(false);
#endif
  }
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  bool on_;
};

}  // namespace

int32_t pt_abi(void) { return PIPA_TORCH_ABI; }

const char* pt_version(void) { return TORCH_VERSION; }

// That of Debian 13, oneDNN 3.7.2, takes the memory that fills channels up to a
// multiple of 16 for zeros, which it is not: kernels of 3×3 on 17 channels show it.
// One small image would not be given to it.
int32_t pt_try_onednn(char* err, int64_t err_len) {
  return guarded<int32_t>(err, err_len, -1, [&] {
    auto& context = at::globalContext();
    if (!context.hasMKLDNN() || !context.userEnabledMkldnn()) return 0;
    c10::NoGradGuard no_grad;
    const at::Tensor x = at::arange(2 * 17 * 12 * 12, at::kFloat).sin().view({2, 17, 12, 12});
    const at::Tensor w = at::arange(17 * 3 * 3, at::kFloat).cos().view({1, 17, 3, 3});
    const bool right = at::allclose(at::conv2d(x, w).to(at::kDouble), at::conv2d(x.to(at::kDouble), w.to(at::kDouble)), 1e-3, 1e-3);
    context.setUserEnabledMkldnn(right);
    return right ? 1 : 0;
  });
}

int64_t pt_op(const char* name, const char* overload, char* err, int64_t err_len) {
  return guarded<int64_t>(err, err_len, 0, [&] {
    auto handle = c10::Dispatcher::singleton().findSchemaOrThrow(name, overload);
    return reinterpret_cast<int64_t>(new c10::OperatorHandle(handle));
  });
}

int32_t pt_call(int64_t op, const pt_value* args, int32_t n_args, const int64_t* ints, const double* doubles,
                const char* chars, int32_t flags, pt_value* out, int32_t max_out, char* err, int64_t err_len) {
  return guarded<int32_t>(err, err_len, -1, [&] {
    if (op == 0) throw std::invalid_argument("null operator");
    const auto& handle = *reinterpret_cast<const c10::OperatorHandle*>(op);
    const auto& arguments = handle.schema().arguments();
    if (static_cast<size_t>(n_args) > arguments.size()) {
      throw std::invalid_argument("takes " + std::to_string(arguments.size()) + " arguments, got " + std::to_string(n_args));
    }
    const Operands operands{ints, doubles, chars};
    torch::jit::Stack stack;
    stack.reserve(arguments.size());
    for (size_t i = 0; i < arguments.size(); i++) {
      const auto& a = arguments[i];
      if (i < static_cast<size_t>(n_args)) {
        stack.push_back(convert(a, a.type(), args[i], operands));
      } else if (a.default_value().has_value()) {
        stack.push_back(*a.default_value());
      } else {
        throw std::invalid_argument("argument '" + a.name() + "' is missing");
      }
    }
    {
      c10::AutoGradMode grad_mode((flags & PT_GRAD) != 0);
      Autocast autocast((flags & PT_AUTOCAST) != 0);
      handle.callBoxed(&stack);
    }
    if ((flags & PT_DISCARD) != 0) return 0;
    std::vector<pt_value> results;
    for (const auto& v : stack) append_result(v, results);
    if (results.size() > static_cast<size_t>(max_out)) {
      for (const auto& r : results) {
        if (r.tag == PT_TENSOR) pt_free(&r.payload, 1);
      }
      throw std::length_error("more than " + std::to_string(max_out) + " results");
    }
    std::copy(results.begin(), results.end(), out);
    return static_cast<int32_t>(results.size());
  });
}

void pt_free(const pt_tensor* handles, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    if (handles[i] == 0) continue;
    delete reinterpret_cast<at::Tensor*>(handles[i]);
    live_handles.fetch_sub(1, std::memory_order_relaxed);
  }
}

int64_t pt_live(void) { return live_handles.load(std::memory_order_relaxed); }

pt_tensor pt_share(pt_tensor tensor) { return own(at_handle(tensor)); }

int32_t pt_describe(pt_tensor tensor, pt_info* out, char* err, int64_t err_len) {
  return guarded<int32_t>(err, err_len, -1, [&] {
    const at::Tensor& t = at_handle(tensor);
    if (t.dim() > 8) throw std::length_error("more than 8 dimensions");
    out->dtype = static_cast<int32_t>(t.scalar_type());
    out->device_type = static_cast<int32_t>(t.device().type());
    out->device_index = t.device().index();
    out->dims = static_cast<int32_t>(t.dim());
    out->requires_grad = t.requires_grad() ? 1 : 0;
    out->contiguous = t.is_contiguous() ? 1 : 0;
    out->numel = t.numel();
    out->element_bytes = static_cast<int64_t>(t.element_size());
    out->data = reinterpret_cast<int64_t>(t.data_ptr());
    for (int64_t i = 0; i < t.dim(); i++) out->sizes[i] = t.size(i);
    return 0;
  });
}

pt_tensor pt_from_blob(void* data, const int64_t* sizes, int32_t dims, int32_t dtype, char* err, int64_t err_len) {
  return guarded<pt_tensor>(err, err_len, 0, [&] {
    if (dtype < 0 || dtype >= static_cast<int32_t>(at::ScalarType::Undefined)) throw std::invalid_argument("no such dtype");
    const auto options = at::TensorOptions().dtype(static_cast<at::ScalarType>(dtype));
    return own(at::from_blob(data, at::IntArrayRef(sizes, static_cast<size_t>(dims)), options));
  });
}

pt_tensor pt_upload(pt_tensor tensor, const char* device, char* err, int64_t err_len) {
  return guarded<pt_tensor>(err, err_len, 0, [&] { return own(upload(at_handle(tensor), at::Device(device))); });
}

int32_t pt_copy_out(pt_tensor tensor, void* out, int64_t bytes, char* err, int64_t err_len) {
  return guarded<int32_t>(err, err_len, -1, [&] {
    if (!at_handle(tensor).is_cpu()) settle_collectives();
    const at::Tensor t = at_handle(tensor).detach().to(at::kCPU).contiguous();
    const int64_t have = t.numel() * static_cast<int64_t>(t.element_size());
    if (have != bytes) throw std::length_error("tensor holds " + std::to_string(have) + " bytes, buffer " + std::to_string(bytes));
    if (bytes > 0) std::memcpy(out, t.data_ptr(), static_cast<size_t>(bytes));
    return 0;
  });
}

int32_t pt_set_requires_grad(pt_tensor tensor, int32_t on, char* err, int64_t err_len) {
  return guarded<int32_t>(err, err_len, -1, [&] {
    at_handle(tensor).set_requires_grad(on != 0);
    return 0;
  });
}

int32_t pt_backward(pt_tensor tensor, pt_tensor cotangent, int32_t retain_graph, char* err, int64_t err_len) {
  return guarded<int32_t>(err, err_len, -1, [&] {
    c10::AutoGradMode grad_mode(true);
    std::vector<at::Tensor> cotangents;
    if (cotangent != 0) cotangents.push_back(at_handle(cotangent));
    torch::autograd::backward({at_handle(tensor)}, cotangents, retain_graph != 0);
    return 0;
  });
}

pt_tensor pt_grad(pt_tensor tensor, char* err, int64_t err_len) {
  return guarded<pt_tensor>(err, err_len, 0, [&]() -> pt_tensor {
    const at::Tensor& g = at_handle(tensor).grad();
    return g.defined() ? own(g) : 0;
  });
}

int32_t pt_set_grad(pt_tensor tensor, pt_tensor grad, char* err, int64_t err_len) {
  return guarded<int32_t>(err, err_len, -1, [&] {
    at_handle(tensor).mutable_grad() = grad == 0 ? at::Tensor() : at_handle(grad);
    return 0;
  });
}

int32_t pt_seed(int64_t seed, char* err, int64_t err_len) {
  return guarded<int32_t>(err, err_len, -1, [&] {
    at::manual_seed(static_cast<uint64_t>(seed));
    return 0;
  });
}

pt_tensor pt_rng(const char* device, char* err, int64_t err_len) {
  return guarded<pt_tensor>(err, err_len, 0, [&] {
    auto generator = at::globalContext().defaultGenerator(at::Device(device));
    std::lock_guard<std::mutex> lock(generator.mutex());
    return own(generator.get_state());
  });
}

int32_t pt_set_rng(const char* device, pt_tensor state, char* err, int64_t err_len) {
  return guarded<int32_t>(err, err_len, -1, [&] {
    auto generator = at::globalContext().defaultGenerator(at::Device(device));
    std::lock_guard<std::mutex> lock(generator.mutex());
    generator.set_state(at_handle(state));
    return 0;
  });
}

int32_t pt_count_memory(int32_t on, char* err, int64_t err_len) {
  return guarded<int32_t>(err, err_len, -1, [&] {
    if (memory_counter != nullptr) c10::ThreadLocalDebugInfo::_pop(c10::DebugInfoKind::PROFILER_STATE);
    memory_counter = on != 0 ? std::make_shared<MemoryCounter>() : nullptr;
    if (on != 0) c10::ThreadLocalDebugInfo::_push(c10::DebugInfoKind::PROFILER_STATE, memory_counter);
    return 0;
  });
}

int64_t pt_memory_peak(void) { return memory_counter == nullptr ? 0 : memory_counter->take_peak(); }

int32_t pt_set_threads(int32_t n, char* err, int64_t err_len) {
  return guarded<int32_t>(err, err_len, -1, [&] {
    at::set_num_threads(n);
    // OpenBLAS keeps a pool of threads of its own, which at::set_num_threads
    // does not know of.
    using set_blas_threads = void (*)(int);
    if (auto set = reinterpret_cast<set_blas_threads>(dlsym(RTLD_DEFAULT, "openblas_set_num_threads"))) set(n);
    return 0;
  });
}

int32_t pt_threads(void) { return at::get_num_threads(); }

int32_t pt_cuda_devices(void) {
  char err[64];
  return guarded<int32_t>(err, sizeof err, 0, [] { return at::hasCUDA() ? static_cast<int32_t>(at::getNumGPUs()) : 0; });
}

int32_t pt_fixed_shapes(int32_t on, char* err, int64_t err_len) {
  return guarded<int32_t>(err, err_len, -1, [&] {
    at::globalContext().setBenchmarkCuDNN(on != 0);
    return 0;
  });
}

int32_t pt_exact(int32_t on, char* err, int64_t err_len) {
  return guarded<int32_t>(err, err_len, -1, [&] {
    auto& context = at::globalContext();
    context.setAllowTF32CuBLAS(on == 0);
    context.setAllowTF32CuDNN(on == 0);
    if (on != 0) context.setBenchmarkCuDNN(false);
    context.setDeterministicCuDNN(on != 0);
    return 0;
  });
}

// Data parallelism: process groups, sums over ranks, and the reduction of
// gradients during the backward pass (Li et al., "PyTorch Distributed:
// Experiences on Accelerating Data Parallel Training", VLDB 2020).
#include "handles.h"

#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/functions/accumulate_grad.h>
#include <torch/csrc/autograd/variable.h>
#include <torch/version.h>

// libtorch says by macros what it was built with; its headers need them set.
// They include those of Gloo and NCCL, which must be installed too; for NCCL
// scripts/torch-flags tries that.
#if __has_include(<gloo/algorithm.h>) && __has_include(<torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>)
#ifndef USE_C10D_GLOO
#define USE_C10D_GLOO
#endif
#endif

#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#ifdef USE_C10D_GLOO
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#endif
#ifdef USE_C10D_NCCL
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <future>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace {

using std::chrono::milliseconds;
using WorkPtr = c10::intrusive_ptr<c10d::Work>;
using NodePtr = decltype(torch::autograd::impl::grad_accumulator(at::Tensor()));  // shared_ptr or, in new versions, intrusive_ptr
#if TORCH_VERSION_MAJOR >= 2
using Backend = c10d::Backend;
#else
using Backend = c10d::ProcessGroup;
#endif

// How long a collective may take. A rank may be slow, writing a checkpoint;
// that one is dead is found out by other means, which call abort.
constexpr milliseconds collective_timeout = std::chrono::minutes(30);

// How long what listens at rank 0's address may take to answer. Rank 0 does so at
// once, by a thread of its own, whatever else it does.
constexpr milliseconds answer_timeout = std::chrono::seconds(20);

class Group {
 public:
  Group(bool gloo_, c10::intrusive_ptr<c10d::Store> counters_, c10::intrusive_ptr<Backend> backend_)
      : gloo(gloo_), counters(std::move(counters_)), backend(std::move(backend_)) {}
  ~Group();

  const bool gloo;
  const c10::intrusive_ptr<c10d::Store> counters;  // by a connection of its own: another may be held by a wait
  const c10::intrusive_ptr<Backend> backend;

  void abort(const char* reason) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (aborted_.empty()) aborted_ = reason;
  }

  // Lets what follows have the work's result: on a CPU it is waited for, in
  // turns, so that abort is heard; a GPU's stream waits by itself, and the host
  // once it reads (settle_collectives).
  void wait(const WorkPtr& work);

  // Waits for work on a GPU, and hears abort.
  void settle(const WorkPtr& work) {
    while (!work->isCompleted()) {
      check();
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
    if (const auto error = work->exception()) std::rethrow_exception(error);
  }

  WorkPtr start_sum(at::Tensor& t) {
    std::vector<at::Tensor> tensors{t};
    return backend->allreduce(tensors);
  }

  at::Tensor sum(const at::Tensor& t) {
    at::Tensor out = t.detach().clone(at::MemoryFormat::Contiguous);
    wait(start_sum(out));
    return out;
  }

 private:
  void check() {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!aborted_.empty()) throw std::runtime_error(aborted_);
  }

  std::mutex mutex_;
  std::string aborted_;
};

// Each group's last work that its GPU may not have done yet; one group's works
// are done in their order.
struct Unfinished {
  std::mutex mutex;
  std::unordered_map<Group*, WorkPtr> works;
};

Unfinished& unfinished() {
  static Unfinished u;
  return u;
}

Group::~Group() {
  std::lock_guard<std::mutex> lock(unfinished().mutex);
  unfinished().works.erase(this);
}

void Group::wait(const WorkPtr& work) {
  if (!gloo) {
    check();
    work->wait();
    std::lock_guard<std::mutex> lock(unfinished().mutex);
    unfinished().works[this] = work;
    return;
  }
  while (!work->isCompleted()) {
    check();
    try {
      work->wait(milliseconds(500));
    } catch (...) {
      // This turn's end, or the work's error, which the wait below throws.
    }
  }
  work->wait();
}

Group& group_at(int64_t handle) {
  if (handle == 0) throw std::invalid_argument("null group");
  return *reinterpret_cast<Group*>(handle);
}

c10::intrusive_ptr<Backend> make_backend(const c10::intrusive_ptr<c10d::Store>& store, int rank, int size, int32_t kind) {
#ifdef USE_C10D_GLOO
  if (kind == PT_GLOO) {
    auto options = c10d::ProcessGroupGloo::Options::create(collective_timeout);
    const char* interface = std::getenv("GLOO_SOCKET_IFNAME");
    options->devices.push_back(interface != nullptr ? c10d::ProcessGroupGloo::createDeviceForInterface(interface)
                                                    : c10d::ProcessGroupGloo::createDefaultDevice());
    return c10::make_intrusive<c10d::ProcessGroupGloo>(store, rank, size, options);
  }
#endif
#ifdef USE_C10D_NCCL
  if (kind == PT_NCCL) {
    // Else NCCL's watchdog ends the process by itself when another has died.
    setenv("TORCH_NCCL_ASYNC_ERROR_HANDLING", "0", /*overwrite=*/0);
    auto options = c10d::ProcessGroupNCCL::Options::create();
    options->timeout = collective_timeout;
    return c10::make_intrusive<c10d::ProcessGroupNCCL>(store, rank, size, options);
  }
#endif
  throw std::invalid_argument(kind == PT_NCCL ? "this backend was built without NCCL: install its headers and CUDA's, and rebuild it"
                                              : "this backend was built without Gloo: install its headers (Debian's libgloo-dev), and rebuild it");
}

struct Sum : torch::autograd::Function<Sum> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& t, int64_t group) {
    context->saved_data["group"] = group;
    return group_at(group).sum(t);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
    return {group_at(context->saved_data["group"].toInt()).sum(gradients[0]), at::Tensor()};
  }
};

class Reducer {
 public:
  Reducer(Group& group, std::vector<at::Tensor> parameters, int64_t bucket_bytes) : group_(group), parameters_(std::move(parameters)) {
    bucket_of_.resize(parameters_.size());
    int64_t bytes = 0;
    for (size_t i = parameters_.size(); i-- > 0;) {
      const at::Tensor& p = parameters_[i];
      const int64_t size = p.numel() * static_cast<int64_t>(p.element_size());
      if (buckets_.empty() || bytes + size > bucket_bytes || parameters_[buckets_.back().parameters[0]].scalar_type() != p.scalar_type()) {
        buckets_.emplace_back();
        bytes = 0;
      }
      bytes += size;
      bucket_of_[i] = buckets_.size() - 1;
      buckets_.back().parameters.push_back(i);
    }
  }

  // A parameter holds its accumulator weakly: it is kept here, so that it is
  // the one that every graph ends in.
  static void listen(const std::shared_ptr<Reducer>& self);

  void arm(const at::Tensor& root) {
    std::unordered_set<const torch::autograd::Node*> seen;
    std::vector<const torch::autograd::Node*> open;
    auto visit = [&](const torch::autograd::Node* n) {
      if (n != nullptr && seen.insert(n).second) open.push_back(n);
    };
    visit(root.grad_fn().get());
    while (!open.empty()) {
      const auto* n = open.back();
      open.pop_back();
      for (const auto& edge : n->next_edges()) visit(edge.function.get());
    }
    std::lock_guard<std::mutex> lock(mutex_);
    for (auto& b : buckets_) {
      b.pending = static_cast<size_t>(std::count_if(b.parameters.begin(), b.parameters.end(), [&](size_t i) { return seen.count(accumulators_[i].get()) != 0; }));
    }
    armed_ = true;
    send_complete();
  }

  void complete(size_t parameter) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!armed_) return;
    Bucket& b = buckets_[bucket_of_[parameter]];
    if (b.pending > 0 && --b.pending == 0) send_complete();
  }

  int32_t finish() {
    std::lock_guard<std::mutex> lock(mutex_);
    armed_ = false;
    const auto early = static_cast<int32_t>(next_);
    for (; next_ < buckets_.size(); next_++) send(buckets_[next_]);
    next_ = 0;
    c10::NoGradGuard no_grad;
    for (auto& b : buckets_) {
      group_.wait(b.work);
      store(b);
      b.work.reset();
      b.flat = at::Tensor();
    }
    return early;
  }

 private:
  struct Bucket {
    std::vector<size_t> parameters;
    size_t pending = 0;
    at::Tensor flat;  // the gradients, then for each parameter whether there is one
    WorkPtr work;
  };

  // Buckets are sent in their order, the same on all ranks.
  void send_complete() {
    for (; next_ < buckets_.size() && buckets_[next_].pending == 0; next_++) send(buckets_[next_]);
  }

  void send(Bucket& b) {
    c10::NoGradGuard no_grad;
    const auto n = static_cast<int64_t>(b.parameters.size());
    const at::Tensor has = at::ones({n}, parameters_[b.parameters[0]].options());
    std::vector<at::Tensor> parts;
    for (int64_t k = 0; k < n; k++) {
      const at::Tensor& p = parameters_[b.parameters[static_cast<size_t>(k)]];
      const at::Tensor& g = p.grad();
      if (!g.defined()) has.narrow(0, k, 1).zero_();
      parts.push_back(g.defined() ? g.reshape({-1}) : at::zeros({p.numel()}, p.options()));
    }
    parts.push_back(has);
    b.flat = at::cat(parts);
    b.work = group_.start_sum(b.flat);
  }

  void store(Bucket& b) {
    const auto n = static_cast<int64_t>(b.parameters.size());
    at::Tensor has;  // looked at only where a gradient is missing: it waits for the device
    int64_t at = 0;
    for (size_t k = 0; k < b.parameters.size(); k++) {
      const at::Tensor& p = parameters_[b.parameters[k]];
      const at::Tensor sum = b.flat.narrow(0, at, p.numel()).view(p.sizes());
      at += p.numel();
      if (p.grad().defined()) {
        p.mutable_grad().copy_(sum);
        continue;
      }
      if (!has.defined()) settle_collectives();
      if (!has.defined()) has = b.flat.narrow(0, b.flat.numel() - n, n).to(at::kCPU, at::kFloat);
      if (has[static_cast<int64_t>(k)].item<float>() > 0) p.mutable_grad() = sum.clone();
    }
  }

  Group& group_;
  std::vector<at::Tensor> parameters_;
  std::vector<NodePtr> accumulators_;
  std::vector<size_t> bucket_of_;
  std::vector<Bucket> buckets_;
  std::mutex mutex_;  // the engine runs the hooks of a GPU's nodes on its own thread
  bool armed_ = false;
  size_t next_ = 0;  // bucket to send
};

struct Hook : torch::autograd::FunctionPostHook {
  Hook(std::weak_ptr<Reducer> r, size_t i) : reducer(std::move(r)), parameter(i) {}
  torch::autograd::variable_list operator()(const torch::autograd::variable_list& outputs, const torch::autograd::variable_list&) override {
    if (auto r = reducer.lock()) r->complete(parameter);
    return outputs;
  }
  std::weak_ptr<Reducer> reducer;
  size_t parameter;
};

void Reducer::listen(const std::shared_ptr<Reducer>& self) {
  c10::AutoGradMode grad_mode(true);
  for (size_t i = 0; i < self->parameters_.size(); i++) {
    auto accumulator = torch::autograd::impl::grad_accumulator(self->parameters_[i]);
    if (accumulator == nullptr) throw std::invalid_argument("parameter " + std::to_string(i) + " takes no gradient");
    accumulator->add_post_hook(std::make_unique<Hook>(self, i));
    self->accumulators_.push_back(std::move(accumulator));
  }
}

Reducer& reducer_at(int64_t handle) {
  if (handle == 0) throw std::invalid_argument("null reducer");
  return **reinterpret_cast<std::shared_ptr<Reducer>*>(handle);
}

// While ranks meet, an exception in a thread of libtorch's own is another program's
// answer: its store reads by one (1.13), where nothing catches it. It ends the
// process as a failure, with words, and not as a crash.
class Meeting {
 public:
  explicit Meeting(const std::string& what) : before_(std::set_terminate(end)) {
    std::snprintf(text_, sizeof text_, "%s", what.c_str());
  }
  ~Meeting() { std::set_terminate(before_); }

 private:
  [[noreturn]] static void end() {
    try {
      if (const auto thrown = std::current_exception()) std::rethrow_exception(thrown);
    } catch (const std::exception& e) {
      std::fprintf(stderr, "pipa: %s: what listens there does not answer as rank 0 does: %s\n", text_, e.what());
      std::_Exit(1);
    } catch (...) {
    }
    std::abort();
  }

  static char text_[256];
  const std::terminate_handler before_;
};

char Meeting::text_[256];

// The store that connect reaches, once it has answered: libtorch waits without end
// for another program that takes connections and says nothing. The thread is left
// to that wait.
template <class Connect>
c10::intrusive_ptr<c10d::Store> answering(const Connect& connect, milliseconds timeout) {
  const auto promise = std::make_shared<std::promise<c10::intrusive_ptr<c10d::Store>>>();
  auto answer = promise->get_future();
  std::thread([promise, connect] {
    try {
      c10::intrusive_ptr<c10d::Store> store = connect();
      store->add("answers", 1);
      promise->set_value(std::move(store));
    } catch (...) {
      promise->set_exception(std::current_exception());
    }
  }).detach();
  if (answer.wait_for(timeout) != std::future_status::ready)
    throw std::runtime_error("what listens there does not answer as rank 0 does: it is another program, or a rank 0 that has stopped");
  return answer.get();
}

}  // namespace

void settle_collectives() {
  std::unordered_map<Group*, WorkPtr> works;
  {
    std::lock_guard<std::mutex> lock(unfinished().mutex);
    works.swap(unfinished().works);
  }
  for (const auto& [group, work] : works) group->settle(work);
}

int32_t pt_group_backends(void) {
  int32_t have = 0;
#ifdef USE_C10D_GLOO
  have |= PT_GLOO;
#endif
#ifdef USE_C10D_NCCL
  have |= PT_NCCL;
#endif
  return have;
}

pt_group pt_group_join(const char* host, int32_t port, int32_t serve, const char* prefix, int32_t rank, int32_t size,
                       int32_t backend, int64_t timeout_ms, char* err, int64_t err_len) {
  return guarded<pt_group>(err, err_len, 0, [&] {
    c10d::TCPStoreOptions options;
    options.port = static_cast<std::uint16_t>(port);
    options.isServer = serve != 0;
    options.waitWorkers = false;  // done below, by prefix
    options.timeout = milliseconds(timeout_ms);
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 4)
    options.useLibUV = false;  // the default from here on, and missing in Debian's
#endif
    const auto connect = [host = std::string(host), prefix = std::string(prefix)](const c10d::TCPStoreOptions& o) -> c10::intrusive_ptr<c10d::Store> {
      return c10::make_intrusive<c10d::PrefixStore>(prefix, c10::make_intrusive<c10d::TCPStore>(host, o));
    };
    const Meeting meeting("rank " + std::to_string(rank) + " of " + std::to_string(size) + ": meet the others at " + host + ":" + std::to_string(port));
    const c10::intrusive_ptr<c10d::Store> store = serve != 0 ? connect(options) : answering([connect, options] { return connect(options); }, std::min(answer_timeout, options.timeout));
    // Gloo's start waits for all, NCCL's for none.
    std::vector<std::string> ranks;
    for (int32_t r = 0; r < size; r++) ranks.push_back("here " + std::to_string(r));
    store->set(ranks[static_cast<size_t>(rank)], std::vector<uint8_t>{1});
    store->wait(ranks, options.timeout);
    options.isServer = false;
    auto group = std::make_unique<Group>(backend == PT_GLOO, connect(options), make_backend(c10::make_intrusive<c10d::PrefixStore>("group", store), rank, size, backend));
    return reinterpret_cast<pt_group>(group.release());
  });
}

void pt_group_leave(pt_group group) {
  const std::unique_ptr<Group> g(reinterpret_cast<Group*>(group));
#if defined(USE_C10D_NCCL) && (TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 6))
  // Without it NCCL breaks off what another rank may still be in.
  if (!g->gloo) static_cast<c10d::ProcessGroupNCCL*>(g->backend.get())->shutdown();
#endif
}

void pt_group_abort(pt_group group, const char* reason) { group_at(group).abort(reason); }

int64_t pt_group_add(pt_group group, const char* key, int64_t amount, char* err, int64_t err_len) {
  return guarded<int64_t>(err, err_len, std::numeric_limits<int64_t>::min(), [&] { return group_at(group).counters->add(key, amount); });
}

pt_tensor pt_group_sum(pt_group group, pt_tensor tensor, int32_t grad, char* err, int64_t err_len) {
  return guarded<pt_tensor>(err, err_len, 0, [&] {
    c10::AutoGradMode grad_mode(grad != 0);
    return own(Sum::apply(at_handle(tensor), group));
  });
}

int32_t pt_group_broadcast(pt_group group, pt_tensor tensor, char* err, int64_t err_len) {
  return guarded<int32_t>(err, err_len, -1, [&] {
    c10::NoGradGuard no_grad;
    Group& g = group_at(group);
    std::vector<at::Tensor> tensors{at_handle(tensor).detach().contiguous()};
    g.wait(g.backend->broadcast(tensors));
    at_handle(tensor).detach().copy_(tensors[0]);
    return 0;
  });
}

pt_reducer pt_reducer_new(pt_group group, const pt_tensor* parameters, int64_t n, int64_t bucket_bytes, char* err, int64_t err_len) {
  return guarded<pt_reducer>(err, err_len, 0, [&] {
    std::vector<at::Tensor> tensors;
    for (int64_t i = 0; i < n; i++) tensors.push_back(at_handle(parameters[i]));
    auto reducer = std::make_shared<Reducer>(group_at(group), std::move(tensors), bucket_bytes);
    Reducer::listen(reducer);
    return reinterpret_cast<pt_reducer>(new std::shared_ptr<Reducer>(std::move(reducer)));
  });
}

void pt_reducer_free(pt_reducer reducer) { delete reinterpret_cast<std::shared_ptr<Reducer>*>(reducer); }

int32_t pt_reducer_arm(pt_reducer reducer, pt_tensor root, char* err, int64_t err_len) {
  return guarded<int32_t>(err, err_len, -1, [&] {
    reducer_at(reducer).arm(at_handle(root));
    return 0;
  });
}

int32_t pt_reducer_finish(pt_reducer reducer, char* err, int64_t err_len) {
  return guarded<int32_t>(err, err_len, -1, [&] { return reducer_at(reducer).finish(); });
}

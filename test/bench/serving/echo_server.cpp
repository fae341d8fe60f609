// The fastest plain gRPC server there is, as a yardstick: it decodes a ModelInferRequest, encodes a prepared ModelInferResponse of
// ten floats, and computes nothing. One completion queue and one thread a core, as in gRPC's own benchmarks.
// usage: echo_server PORT THREADS
#include <grpcpp/grpcpp.h>

#include <cstdlib>
#include <deque>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "inference/grpc_service.grpc.pb.h"

namespace {

using inference::GRPCInferenceService;
using inference::ModelInferRequest;
using inference::ModelInferResponse;

constexpr int kCallsWaiting = 128;

ModelInferResponse prepare_response() {
  ModelInferResponse response;
  response.set_model_name("mnist");
  response.set_model_version("1");
  auto* output = response.add_outputs();
  output->set_name("output");
  output->set_datatype("FP32");
  output->add_shape(1);
  output->add_shape(10);
  response.add_raw_output_contents(std::string(10 * sizeof(float), '\x3d'));
  return response;
}

/// Waits for a request, answers it, and waits for the next.
class Call {
 public:
  Call(GRPCInferenceService::AsyncService& service, grpc::ServerCompletionQueue& queue,
       const ModelInferResponse& response)
      : service_(service), queue_(queue), response_(response) {
    wait();
  }

  void proceed(bool is_ok) {
    if (is_ok && !is_answered_) {
      is_answered_ = true;
      exchange_->writer.Finish(response_, grpc::Status::OK, this);
    } else {
      wait();
    }
  }

 private:
  struct Exchange {
    grpc::ServerContext context;
    ModelInferRequest request;
    grpc::ServerAsyncResponseWriter<ModelInferResponse> writer{&context};
  };

  void wait() {
    is_answered_ = false;
    exchange_.emplace();
    service_.RequestModelInfer(&exchange_->context, &exchange_->request, &exchange_->writer, &queue_, &queue_, this);
  }

  GRPCInferenceService::AsyncService& service_;
  grpc::ServerCompletionQueue& queue_;
  const ModelInferResponse& response_;
  std::optional<Exchange> exchange_;
  bool is_answered_ = false;
};

void serve(GRPCInferenceService::AsyncService& service, grpc::ServerCompletionQueue& queue) {
  const ModelInferResponse response = prepare_response();
  std::deque<Call> calls;
  for (int i = 0; i < kCallsWaiting; ++i) {
    calls.emplace_back(service, queue, response);
  }
  void* tag = nullptr;
  bool is_ok = false;
  while (queue.Next(&tag, &is_ok)) {
    static_cast<Call*>(tag)->proceed(is_ok);
  }
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) {
    std::cerr << "usage: echo_server PORT THREADS\n";
    return 2;
  }
  GRPCInferenceService::AsyncService service;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(std::string("127.0.0.1:") + arguments[1], grpc::InsecureServerCredentials());
  builder.RegisterService(&service);
  std::vector<std::unique_ptr<grpc::ServerCompletionQueue>> queues;
  for (int i = 0; i < std::atoi(arguments[2]); ++i) {
    queues.push_back(builder.AddCompletionQueue());
  }
  const auto server = builder.BuildAndStart();
  if (!server) {
    return 1;
  }
  std::vector<std::thread> threads;
  for (auto& queue : queues) {
    threads.emplace_back([&service, &queue] { serve(service, *queue); });
  }
  std::cout << "listening" << std::endl;
  for (auto& thread : threads) {
    thread.join();
  }
}

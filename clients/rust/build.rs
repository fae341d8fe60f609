//! Generates the clients from the contracts at every change of them, with the `protoc` that a crate brings along.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let mut protobuf = tonic_prost_build::Config::new();
    protobuf.protoc_executable(protoc_bin_vendored::protoc_bin_path()?);
    let contracts = [
        "inference/grpc_service.proto",
        "millrace/v1/prediction_service.proto",
        "millrace/v1/training_service.proto",
    ];
    tonic_prost_build::configure()
        .build_server(false)
        .include_file("contracts.rs")
        .compile_with_config(
            protobuf,
            &contracts.map(|contract| format!("../../proto/{contract}")),
            &["../../proto".to_owned()],
        )?;
    Ok(())
}

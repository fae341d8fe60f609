//! What a program does with Millrace: ask a model for answers, one by one and in a stream, by tensors and by raw
//! records, and follow a training job. Prints one JSON object a line.
//!
//! Arguments: a file of images (784 bytes each, one a pixel), and the mesh's port base (8000).

use std::{env, error::Error, fs, time::Duration};

use serde_json::{Value, json};
use tokio::time::sleep;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use inference::model_infer_request::InferInputTensor;
use inference::model_metadata_response::TensorMetadata;
use inference::{ModelInferRequest, ModelInferResponse, ModelMetadataRequest, ServerReadyRequest};
use millrace::v1::{self as millrace_v1, TrainingEvent, training_event::Event};

include!(concat!(env!("OUT_DIR"), "/contracts.rs"));

type Inference = inference::grpc_inference_service_client::GrpcInferenceServiceClient<Channel>;
type Prediction = millrace_v1::prediction_service_client::PredictionServiceClient<Channel>;
type Training = millrace_v1::training_service_client::TrainingServiceClient<Channel>;
type Outcome = Result<(), Box<dyn Error>>;

const MODEL: &str = "mnist";
const PIXELS: usize = 784;
/// tonic takes answers of 4 MiB unless it is told otherwise; Millrace's own limit is this one.
const MESSAGE_BYTES_MAX: usize = 64 << 20;
const RECONNECT_WAIT: Duration = Duration::from_millis(200);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let mut arguments = env::args().skip(1);
    let images = fs::read(arguments.next().ok_or("which file of images?")?)?;
    let port_base: u16 = arguments.next().unwrap_or("8000".to_owned()).parse()?;

    let serving = connect(port_base + 1).await?;
    let mut inference =
        Inference::new(serving.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX);
    describe(&mut inference).await?;
    infer(&mut inference, &images).await?;
    infer_in_stream(&mut inference, &images).await?;
    predict(Prediction::new(serving), &images).await?;
    follow_newest_job(Training::new(connect(port_base + 4).await?)).await
}

async fn connect(port: u16) -> Result<Channel, Box<dyn Error>> {
    Ok(Endpoint::try_from(format!("http://127.0.0.1:{port}"))?
        .connect()
        .await?)
}

async fn describe(inference: &mut Inference) -> Outcome {
    let server = inference.server_ready(ServerReadyRequest {}).await?;
    println!(
        "{}",
        json!({"call": "ServerReady", "ready": server.into_inner().ready})
    );
    let request = ModelMetadataRequest {
        name: MODEL.to_owned(),
        ..Default::default()
    };
    let model = inference.model_metadata(request).await?.into_inner();
    println!(
        "{}",
        json!({
            "call": "ModelMetadata", "name": model.name, "versions": model.versions, "platform": model.platform,
            "inputs": tensors(model.inputs), "outputs": tensors(model.outputs),
        })
    );
    Ok(())
}

fn tensors(tensors: Vec<TensorMetadata>) -> Vec<Value> {
    tensors
        .into_iter()
        .map(|tensor| json!({"name": tensor.name, "datatype": tensor.datatype, "shape": tensor.shape}))
        .collect()
}

/// All images in one request.
async fn infer(inference: &mut Inference, images: &[u8]) -> Outcome {
    let response = inference
        .model_infer(request_of(images))
        .await?
        .into_inner();
    println!(
        "{}",
        json!({
            "call": "ModelInfer", "modelVersion": response.model_version, "shape": response.outputs[0].shape,
            "output": probabilities(&response)?,
        })
    );
    Ok(())
}

/// One request an image, all in one stream; answers come in the order of the requests and carry their ids.
async fn infer_in_stream(inference: &mut Inference, images: &[u8]) -> Outcome {
    let requests: Vec<_> = images
        .chunks(PIXELS)
        .enumerate()
        .map(|(index, image)| ModelInferRequest {
            id: index.to_string(),
            ..request_of(image)
        })
        .collect();
    let mut answers = inference
        .model_stream_infer(tokio_stream::iter(requests))
        .await?
        .into_inner();
    while let Some(answer) = answers.message().await? {
        if !answer.error_message.is_empty() {
            // The error of one request; the stream goes on.
            return Err(answer.error_message.into());
        }
        let response = answer
            .infer_response
            .ok_or("an answer without a response")?;
        println!(
            "{}",
            json!({"call": "ModelStreamInfer", "id": response.id, "output": probabilities(&response)?})
        );
    }
    Ok(())
}

/// The network's own input: float32 in [0, 1], little-endian.
fn request_of(images: &[u8]) -> ModelInferRequest {
    let values = images.iter().map(|&pixel| f32::from(pixel) / 255.0);
    ModelInferRequest {
        model_name: MODEL.to_owned(),
        inputs: vec![InferInputTensor {
            name: "input".to_owned(),
            datatype: "FP32".to_owned(),
            shape: vec![(images.len() / PIXELS) as i64, PIXELS as i64],
            ..Default::default()
        }],
        raw_input_contents: vec![values.flat_map(f32::to_le_bytes).collect()],
        ..Default::default()
    }
}

fn probabilities(response: &ModelInferResponse) -> Result<Vec<f32>, Box<dyn Error>> {
    let bytes = response
        .raw_output_contents
        .first()
        .ok_or("an answer without its output")?;
    let values = bytes
        .chunks_exact(4)
        .map(|value| f32::from_le_bytes(value.try_into().expect("4 bytes")));
    Ok(values.collect())
}

/// Raw records: the server applies the pipeline that was fitted at training.
async fn predict(mut prediction: Prediction, images: &[u8]) -> Outcome {
    let records = images.chunks(PIXELS).map(|image| {
        let content = millrace_v1::value::Kind::Content(image.to_vec());
        let value = millrace_v1::Value {
            kind: Some(content),
        };
        millrace_v1::Record {
            values: [("image".to_owned(), value)].into(),
        }
    });
    let request = millrace_v1::PredictRequest {
        model: format!("models/{MODEL}"),
        records: records.collect(),
        ..Default::default()
    };
    let response = prediction.predict(request).await?.into_inner();
    for answer in response.predictions {
        println!(
            "{}",
            json!({
                "call": "Predict", "modelVersion": response.model_version, "label": answer.label,
                "probability": answer.scores[0].probability,
            })
        );
    }
    Ok(())
}

/// Events from the job's first to its last; of one that still runs, as they happen.
async fn follow_newest_job(mut training: Training) -> Outcome {
    let newest = millrace_v1::ListTrainingJobsRequest {
        page_size: 1,
        ..Default::default()
    };
    let jobs = training.list_training_jobs(newest).await?.into_inner();
    let job = jobs
        .training_jobs
        .into_iter()
        .next()
        .ok_or("there is no training job")?;
    follow(&mut training, &job.name, |event| {
        let mut line =
            json!({"call": "WatchTrainingJob", "job": job.name, "sequence": event.sequence});
        match event.event {
            Some(Event::Epoch(epoch)) => {
                line["epoch"] = json!(epoch.epoch);
                line["loss"] = json!(epoch.loss);
            }
            Some(Event::StateChange(change)) => line["state"] = json!(change.state().as_str_name()),
            _ => {}
        }
        println!("{line}");
    })
    .await
}

/// Events are numbered: after a lost connection or a restart of the service it goes on where it was.
async fn follow(
    training: &mut Training,
    job: &str,
    mut use_event: impl FnMut(TrainingEvent),
) -> Outcome {
    let mut seen = 0;
    loop {
        match watch(training, job, &mut seen, &mut use_event).await {
            // tonic says "unknown" of a connection that broke in the middle of an answer.
            Err(status) if matches!(status.code(), Code::Unavailable | Code::Unknown) => {
                sleep(RECONNECT_WAIT).await
            }
            ended => return Ok(ended?),
        }
    }
}

async fn watch(
    training: &mut Training,
    job: &str,
    seen: &mut i64,
    use_event: &mut impl FnMut(TrainingEvent),
) -> Result<(), Status> {
    let request = millrace_v1::WatchTrainingJobRequest {
        name: job.to_owned(),
        after_sequence: *seen,
        ..Default::default()
    };
    let mut events = training.watch_training_job(request).await?.into_inner();
    while let Some(event) = events.message().await? {
        *seen = event.sequence;
        use_event(event);
    }
    Ok(())
}

//! `InvokeWithResponseStream`: the answer while the function still writes it.

use std::sync::Arc;

use axum::body::Bytes;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use tokio::sync::mpsc;

use super::{Admitted, Wish, frame};
use crate::cloud::Cloud;
use crate::lambda::error::ApiError;
use crate::runtime::{Outcome, Part};
use crate::wire::Answer;

/// Parts and frames that wait for whoever takes them; the function waits then, too.
const WAITING: usize = 16;

/// The last event of a stream.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Complete<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_details: Option<std::borrow::Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_result: Option<String>,
}

/// The answer to a wish, which begins before the function is done.
pub(super) fn answer(cloud: &Arc<Cloud>, wish: Wish, wants_log: bool) -> Result<Answer, ApiError> {
    let attempt = Admitted::new(cloud, wish)?;
    let version = attempt.route().version.clone();
    let (frames, body) = mpsc::channel(WAITING);
    cloud.shared.tasks.spawn(pass_on(attempt, frames, wants_log));
    Ok(Answer::empty(200)
        .with_stream("application/vnd.amazon.eventstream", body)
        .with_header("x-amz-executed-version", version))
}

async fn pass_on(attempt: Admitted, frames: mpsc::Sender<Bytes>, wants_log: bool) {
    let (to, mut parts) = mpsc::channel(WAITING);
    let passing = async {
        while let Some(part) = parts.recv().await {
            let Part::Data(data) = part else { continue };
            for frame in frame::chunks(&data) {
                // A caller that hung up stops nothing.
                drop(frames.send(frame).await);
            }
        }
    };
    let (outcome, ()) = tokio::join!(attempt.run(Some(to)), passing);
    drop(frames.send(complete(&outcome, wants_log)).await);
}

fn complete(outcome: &Outcome, wants_log: bool) -> Bytes {
    let last = Complete {
        error_code: outcome.failed.then_some("Unhandled"),
        error_details: outcome.failed.then(|| String::from_utf8_lossy(&outcome.payload)),
        log_result: wants_log.then(|| STANDARD.encode(&outcome.log)),
    };
    // Texts always have a JSON form.
    let payload = serde_json::to_vec(&last).unwrap_or_default();
    frame::event("InvokeComplete", "application/json", &payload)
}

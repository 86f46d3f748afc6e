//! Provisioned concurrency: environments that are started ahead of their first invocation, and kept for as
//! long as they are asked for.

use std::sync::Arc;

use axum::body::Bytes;
use tokio::task::JoinSet;

use super::{Wish, job};
use crate::cloud::Cloud;
use crate::ids::Ids as _;
use crate::lambda::error::ApiError;
use crate::lambda::model::{Route, Start};
use crate::runtime::Job;

/// AWS: how often an environment is tried whose code fails to initialize.
const TRIES: u32 = 6;

/// Starts and ends environments whenever what is provisioned changes.
pub(crate) fn keep_provisioned(cloud: Arc<Cloud>) -> impl Future<Output = ()> + Send {
    // At once: what is asked for from now on is started.
    cloud.core().lambda.start_provisioned();
    async move {
        loop {
            let changed = cloud.functions_changed.notified();
            let clock = &cloud.shared.clock;
            let (starts, kept) = {
                let (mut core, now) = (cloud.core(), clock.now_ms());
                (core.lambda.take_starts(now), core.lambda.provisioned_environments(now))
            };
            cloud.shared.runtime.keep(&cloud.home, kept.environments);
            for start in starts {
                begin(&cloud, start);
            }
            match kept.until_ms {
                Some(at_ms) => tokio::select! {
                    () = clock.sleep_until(at_ms.max(clock.now_ms() + 1)) => {}
                    () = changed => {}
                },
                None => changed.await,
            }
        }
    }
}

fn begin(cloud: &Arc<Cloud>, start: Start) {
    let (of_task, stop) = (Arc::clone(cloud), cloud.shared.stop.clone());
    cloud.shared.tasks.spawn(async move {
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = perform(&of_task, &start) => {}
        }
    });
}

async fn perform(cloud: &Arc<Cloud>, start: &Start) {
    let route = Arc::new(start.route.clone());
    let is_ready = match start_all(cloud, &route, start.count).await {
        Ok(is_ready) => is_ready,
        Err(error) => {
            tracing::warn!(%error, function = %route.function, "nothing can be provisioned");
            true
        }
    };
    // What the end of the cloud has ended has not failed.
    if cloud.shared.stop.is_cancelled() {
        return;
    }
    let told = cloud.change(|core, now| core.lambda.provisioned_started(now, start, is_ready));
    if let Err(error) = told {
        tracing::debug!(%error, function = %route.function, "a provisioned function is gone");
    }
}

/// Starts what is missing. The first one shows whether the code can be initialized; the others then start
/// side by side.
async fn start_all(cloud: &Arc<Cloud>, route: &Arc<Route>, count: u32) -> Result<bool, ApiError> {
    let missing = cloud.shared.runtime.missing(&next_job(cloud, route)?);
    let missing = missing.min(usize::try_from(count).unwrap_or(usize::MAX));
    if missing == 0 {
        return Ok(true);
    }
    if !start_one(cloud, route).await? {
        return Ok(false);
    }
    let mut others = JoinSet::new();
    for _ in 1..missing {
        let (cloud, route) = (Arc::clone(cloud), Arc::clone(route));
        others.spawn(async move { start_one(&cloud, &route).await });
    }
    let mut all_ready = true;
    while let Some(ended) = others.join_next().await {
        all_ready &= ended.map_err(|error| ApiError::service(error.to_string()))??;
    }
    Ok(all_ready)
}

async fn start_one(cloud: &Arc<Cloud>, route: &Arc<Route>) -> Result<bool, ApiError> {
    for _ in 0..TRIES {
        if cloud.shared.runtime.provision(&next_job(cloud, route)?).await {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A job that stands for those to come.
fn next_job(cloud: &Cloud, route: &Arc<Route>) -> Result<Job, ApiError> {
    let wish = Wish {
        name: route.function.clone(),
        qualifier: route.qualifier.clone(),
        payload: Bytes::new(),
        client_context: None,
        trace: None,
        request_id: cloud.core().ids.uuid(),
    };
    job(cloud, Arc::clone(route), wish, true)
}

//! What a running cloud does by itself: each chore waits until there is something to do.

use std::sync::Arc;
use std::time::Duration;

use super::clouds::Shared;
use super::{Cloud, Clouds};
use crate::alarm_action;
use crate::clock::HIGH_WATER_LEAD;
use crate::codedeploy::Question;
use crate::invoke;

/// Real time between two writes of metric data.
const SAVE_EVERY: Duration = Duration::from_secs(1);
/// Real time between two looks for environments that are no longer needed.
const REAP_EVERY: Duration = Duration::from_secs(30);
/// Real time between two writes of what functions log: long enough for a batch, and not to be noticed.
const WRITE_LOGS_EVERY: Duration = Duration::from_millis(20);
/// Real time between two looks for events that no group keeps any longer.
const EXPIRE_EVERY: Duration = Duration::from_mins(5);
/// Virtual milliseconds before a hook that was throttled is asked again.
const AGAIN_MS: i64 = 1_000;

/// Begins the chores of the whole cloud.
pub(super) fn begin(clouds: &Arc<Clouds>) {
    let shared = &clouds.shared;
    begin_one(shared, keep_time(Arc::clone(shared)));
    begin_one(shared, end_idle(Arc::clone(clouds)));
    begin_one(shared, expire_logs(Arc::clone(shared)));
    begin_one(shared, write_logs(Arc::clone(clouds)));
}

/// Begins those of one account in one region.
pub(super) fn begin_here(cloud: &Arc<Cloud>) {
    let shared = &cloud.shared;
    begin_one(shared, evaluate_alarms(Arc::clone(cloud)));
    begin_one(shared, run_deployments(Arc::clone(cloud)));
    begin_one(shared, save_metrics(Arc::clone(cloud)));
    begin_one(shared, invoke::keep_provisioned(Arc::clone(cloud)));
    cloud.prepare_runtimes();
}

fn begin_one(shared: &Shared, chore: impl Future<Output = ()> + Send + 'static) {
    let stop = shared.stop.clone();
    shared.tasks.spawn(async move {
        tokio::select! {
            () = stop.cancelled() => {}
            () = chore => {}
        }
    });
}

/// Evaluates alarms exactly when they are due, and starts what they ask for.
async fn evaluate_alarms(cloud: Arc<Cloud>) {
    loop {
        let now = cloud.shared.clock.now_ms();
        let (next, invocations) = {
            let mut cloudwatch = cloud.cloudwatch();
            (cloudwatch.tick(now), cloudwatch.take_invocations())
        };
        for invocation in invocations {
            alarm_action::start(&cloud, invocation);
        }
        cloud.is_dirty.notify_one();
        let changed = cloud.alarms_changed.notified();
        match next {
            Some(at_ms) => tokio::select! {
                () = cloud.shared.clock.sleep_until(at_ms.max(now + 1)) => {}
                () = changed => {}
            },
            None => changed.await,
        }
    }
}

/// Lets deployments go on exactly when something is due.
async fn run_deployments(cloud: Arc<Cloud>) {
    let left = cloud.core().codedeploy.open_questions();
    for question in left {
        ask(&cloud, question);
    }
    loop {
        let changed = cloud.deployments_changed.notified();
        let (questions, next) = cloud.advance_deployments();
        for question in questions {
            ask(&cloud, question);
        }
        match next {
            Some(at_ms) => tokio::select! {
                () = cloud.shared.clock.sleep_until(at_ms.max(cloud.shared.clock.now_ms() + 1)) => {}
                () = changed => {}
            },
            None => changed.await,
        }
    }
}

/// Invokes a hook function with what CodeDeploy tells it. It answers by a call of its own.
fn ask(cloud: &Arc<Cloud>, question: Question) {
    let (of_task, stop) = (Arc::clone(cloud), cloud.shared.stop.clone());
    cloud.shared.tasks.spawn(async move {
        tokio::select! {
            () = stop.cancelled() => {}
            () = ask_until_taken(&of_task, &question) => {}
        }
    });
}

/// A function that is throttled is asked again for as long as the deployment waits for it.
async fn ask_until_taken(cloud: &Arc<Cloud>, question: &Question) {
    while cloud.core().codedeploy.is_open(question) {
        match invoke::send(cloud, &question.function, question.payload()) {
            Ok(()) => return,
            Err(error) if error.status == 429 || error.status >= 500 => {
                cloud.shared.clock.sleep(AGAIN_MS).await;
            }
            Err(error) => {
                let told = cloud.deploy(|core, now| {
                    core.codedeploy.unasked(now, &mut core.ids, question, error.to_string());
                    Ok(())
                });
                if let Err(error) = told {
                    tracing::warn!(%error, "that a hook cannot be asked is not saved");
                }
                return;
            }
        }
    }
}

/// Saves metric data when it has changed, at most once a second.
async fn save_metrics(cloud: Arc<Cloud>) {
    loop {
        cloud.is_dirty.notified().await;
        if let Err(error) = cloud.save_cloudwatch() {
            tracing::warn!(%error, "metric data is not saved");
        }
        tokio::time::sleep(SAVE_EVERY).await;
    }
}

/// Keeps the stored mark ahead of virtual time.
async fn keep_time(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(HIGH_WATER_LEAD / 2).await;
        let mark = shared.clock.high_water_ms();
        if let Err(error) = shared.state().save_high_water(mark) {
            tracing::warn!(%error, "virtual time is not saved");
        }
    }
}

/// Ends execution environments that are no longer needed.
async fn end_idle(clouds: Arc<Clouds>) {
    loop {
        tokio::time::sleep(REAP_EVERY).await;
        for cloud in clouds.all() {
            cloud.reap();
        }
    }
}

/// Writes what functions log, a batch at a time.
async fn write_logs(clouds: Arc<Clouds>) {
    loop {
        clouds.shared.log_sink.changed().await;
        tokio::time::sleep(WRITE_LOGS_EVERY).await;
        let of_task = Arc::clone(&clouds);
        let written = tokio::task::spawn_blocking(move || of_task.write_logs()).await;
        if let Ok(Err(error)) = written {
            tracing::warn!(%error, "what functions logged is lost");
        }
    }
}

/// Removes log events that are kept no longer.
async fn expire_logs(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(EXPIRE_EVERY).await;
        let (logs, now) = (shared.logs.clone(), shared.clock.now_ms());
        let expired = tokio::task::spawn_blocking(move || logs.expire(now)).await;
        if let Ok(Err(error)) = expired {
            tracing::warn!(%error, "old log events are not removed");
        }
    }
}

//! Invokes the functions that alarms name as their actions.
//!
//! As on AWS, the function's own policy must let alarms invoke it, and an invocation that Lambda does
//! not take for now is tried until it does. How it went is in the history of the alarm.

use std::sync::Arc;

use crate::cloud::Cloud;
use crate::cloudwatch::Invocation;
use crate::iam::{self, ServiceCall};
use crate::invoke;
use crate::lambda::error::ApiError;

/// The principal that a policy must name.
const SERVICE: &str = "lambda.alarms.cloudwatch.amazonaws.com";
/// Virtual milliseconds before an invocation is tried again.
const AGAIN_MS: i64 = 1_000;

/// Invokes a function for an alarm, beside everything else.
pub(crate) fn start(cloud: &Arc<Cloud>, invocation: Invocation) {
    let (of_task, stop) = (Arc::clone(cloud), cloud.shared.stop.clone());
    cloud.shared.tasks.spawn(async move {
        let outcome = tokio::select! {
            // It is still waiting, and made when the cloud is started again.
            () = stop.cancelled() => return,
            outcome = until_taken(&of_task, &invocation) => outcome,
        };
        let remembered = of_task.with_cloudwatch(true, |cloudwatch, now| {
            cloudwatch.invoked(now, invocation.number, outcome);
        });
        if let Err(error) = remembered {
            tracing::warn!(%error, "the action of an alarm is not saved");
        }
    });
}

async fn until_taken(cloud: &Arc<Cloud>, invocation: &Invocation) -> Result<(), String> {
    loop {
        let sent = check(cloud, invocation)
            .and_then(|()| invoke::send(cloud, &invocation.function, invocation.event.clone()));
        match sent {
            Ok(()) => return Ok(()),
            Err(error) if matches!(error.status, 409 | 429 | 500..) => {
                cloud.shared.clock.sleep(AGAIN_MS).await;
            }
            Err(error) => return Err(error.message),
        }
    }
}

/// Whether the function exists and its policy lets alarms invoke it.
fn check(cloud: &Cloud, invocation: &Invocation) -> Result<(), ApiError> {
    // The policy of the unpublished version is the function's own.
    let function = invocation.function.trim_end_matches(":$LATEST");
    let home = &cloud.home;
    let source_arn = home.alarm(&invocation.alarm);
    let call = ServiceCall {
        service: SERVICE,
        action: "lambda:InvokeFunction",
        source_arn: &source_arn,
        source_account: &home.account,
    };
    cloud.read(|core, now| {
        core.lambda.route(now, &mut core.ids, function, None)?;
        let policy = core.lambda.get_policy(function, None);
        if policy.is_ok_and(|policy| iam::allows(&policy.policy, &call)) {
            return Ok(());
        }
        Err(ApiError::new(
            403,
            "AccessDeniedException",
            "CloudWatch Alarms is not authorized to perform: lambda:InvokeFunction on the resource \
             because no resource-based policy allows the lambda:InvokeFunction action",
        ))
    })
}

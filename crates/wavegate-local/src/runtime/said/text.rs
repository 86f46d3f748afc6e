//! Lambda's own lines as text.

use super::{Ended, Initialized, Said, runtime_arn, runtime_version};
use crate::runtime::report::Failure;

pub(super) fn of(said: &Said<'_>) -> Vec<String> {
    match said {
        Said::InitStart(beginning) => {
            let runtime = beginning.job.route.deployed.configuration.runtime.iter();
            runtime
                .map(|runtime| {
                    let (version, arn) =
                        (runtime_version(runtime), runtime_arn(&beginning.job.home.region));
                    format!("INIT_START Runtime Version: {version}\tRuntime Version ARN: {arn}\n")
                })
                .collect()
        }
        Said::InitEnd(initialized) => init_report(initialized).into_iter().collect(),
        Said::Start(job) => {
            vec![format!("START RequestId: {} Version: {}\n", job.request_id, job.route.version)]
        }
        Said::End(ended) => {
            let why = ended.failure.and_then(|failure| failure.line(ended.job));
            let end = format!("END RequestId: {}\n", ended.job.request_id);
            why.into_iter().chain([end, report(ended)]).collect()
        }
    }
}

/// AWS tells of initializations that failed only.
fn init_report(initialized: &Initialized<'_>) -> Option<String> {
    let Initialized { took_ms, is_ahead, failure, .. } = initialized;
    let phase = if *is_ahead { "init" } else { "invoke" };
    let status = (*failure)?.status();
    Some(format!("INIT_REPORT Init Duration: {took_ms:.2} ms\tPhase: {phase}\t{status}\n"))
}

fn report(ended: &Ended<'_>) -> String {
    let measured = ended.measured;
    let init = measured.init_ms.map(|init| format!("Init Duration: {init:.2} ms\t"));
    format!(
        "REPORT RequestId: {id}\tDuration: {duration:.2} ms\tBilled Duration: {billed:.0} \
         ms\tMemory Size: {memory} MB\tMax Memory Used: {used} MB\t{init}{status}\n",
        id = ended.job.request_id,
        duration = measured.duration_ms,
        billed = ended.billed_ms(),
        memory = ended.job.route.deployed.configuration.memory_size,
        used = measured.used_mb,
        init = init.unwrap_or_default(),
        status = ended.told_failure().map(Failure::status).unwrap_or_default(),
    )
}

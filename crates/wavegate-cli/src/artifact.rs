//! Packages every function's code, in parallel on blocking threads.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use futures_util::future::join_all;
use tokio::sync::Semaphore;
use wavegate_config::{Manifest, Problem, Problems};
use wavegate_core::inventory::Artifact;
use wavegate_core::name::FunctionName;
use wavegate_core::spec::CodeSource;
use wavegate_package::{MAX_DIRECT_UPLOAD_BYTES, Options, PackageError};

use crate::error::CliError;
use crate::home;

/// A package over Lambda's limit for requests, and no bucket to send it through.
const NO_BUCKET: &str = "WG614";

/// What every function would upload.
pub(crate) type Artifacts = BTreeMap<FunctionName, Artifact>;

/// Packages all functions of the manifest into `.wavegate/artifacts`.
///
/// # Errors
/// The problems of all functions at once.
pub(crate) async fn package_all(manifest: &Manifest) -> Result<Artifacts, CliError> {
    let home = manifest.dir.join(home::NAME);
    home::prepare(&home);
    let options = Arc::new(Options::new(home.join("artifacts")));
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let permits = Arc::new(Semaphore::new(cores));
    let jobs = manifest.app.functions.values().map(|function| {
        let (options, permits) = (Arc::clone(&options), Arc::clone(&permits));
        let (name, code) = (function.name.clone(), function.code.clone());
        async move { (name, one(code, options, permits).await) }
    });
    let mut artifacts = Artifacts::new();
    let mut failures = Vec::new();
    for (name, result) in join_all(jobs).await {
        match result? {
            Ok(artifact) => {
                artifacts.insert(name, artifact);
            }
            Err(error) => failures.push((name, error)),
        }
    }
    if !failures.is_empty() {
        return Err(unpackaged(&failures));
    }
    let too_large = too_large(manifest, &artifacts);
    if !too_large.is_empty() {
        return Err(CliError::manifest(Problems::new(too_large)));
    }
    Ok(artifacts)
}

async fn one(
    code: CodeSource,
    options: Arc<Options>,
    permits: Arc<Semaphore>,
) -> Result<Result<Artifact, PackageError>, CliError> {
    let path = match code {
        CodeSource::S3 { bucket, key } => return Ok(Ok(Artifact::S3 { bucket, key })),
        CodeSource::Image(uri) => return Ok(Ok(Artifact::Image { uri })),
        CodeSource::Path(path) => path,
    };
    let permit = permits.acquire_owned().await;
    let work = tokio::task::spawn_blocking(move || {
        let packaged = wavegate_package::package(&path, &options);
        drop(permit);
        packaged
    });
    let packaged =
        work.await.map_err(|error| CliError::bug(format!("packaging stopped: {error}")))?;
    Ok(packaged.map(|artifact| Artifact::Zip {
        code_sha256: artifact.code_sha256(),
        zipped_bytes: artifact.zipped_bytes,
        unzipped_bytes: artifact.unzipped_bytes,
        path: artifact.path,
    }))
}

fn unpackaged(failures: &[(FunctionName, PackageError)]) -> CliError {
    let code = failures.first().map_or("WG210", |(_, error)| error.code());
    let message = match failures {
        [(name, _)] => format!("function `{name}` cannot be packaged"),
        _ => format!("{} functions cannot be packaged", failures.len()),
    };
    failures.iter().fold(CliError::usage(code, message), |error, (name, failure)| {
        error.because(format!("{name}: {failure}"))
    })
}

/// Functions whose package needs a bucket, when there is none.
fn too_large(manifest: &Manifest, artifacts: &Artifacts) -> Vec<Problem> {
    if manifest.artifact_bucket.is_some() {
        return Vec::new();
    }
    let large = artifacts.iter().filter_map(|(name, artifact)| match artifact {
        Artifact::Zip { zipped_bytes, path, .. } if *zipped_bytes > MAX_DIRECT_UPLOAD_BYTES => {
            Some((name, *zipped_bytes, path))
        }
        _ => None,
    });
    large.map(|(name, bytes, path)| no_bucket(manifest, name, bytes, path)).collect()
}

fn no_bucket(manifest: &Manifest, name: &FunctionName, bytes: u64, path: &Path) -> Problem {
    let message = format!(
        "the package of `{name}` has {} MB zipped, and Lambda takes at most {} MB in a request ({})",
        bytes.div_ceil(1024 * 1024),
        MAX_DIRECT_UPLOAD_BYTES / (1024 * 1024),
        path.display()
    );
    let help = "give `artifact_bucket` under [app]: larger packages go through S3; or leave out what \
                the function does not need (.lambdaignore)";
    manifest.problem(NO_BUCKET, &format!("functions.{name}.code"), message, Some(help))
}

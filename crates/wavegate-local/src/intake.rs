//! Takes deployment packages in: out of the request or out of the artifact store, onto the disk.

use std::io::{Cursor, Read};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::cloud::Cloud;
use crate::lambda::error::ApiError;
use crate::lambda::input::{Code, CodeLocation};

/// AWS: bytes of a zip that comes with the request.
const ZIPPED_MAX: usize = 52_428_800;

/// Bytes of a zip that is read from the artifact store: more than AWS's largest package.
const OBJECT_MAX: u64 = 300 << 20;

/// Takes in the zip that `location` names, off the async threads.
pub(crate) async fn take_in(cloud: &Arc<Cloud>, location: CodeLocation) -> Result<Code, ApiError> {
    let cloud = Arc::clone(cloud);
    let taken =
        tokio::task::spawn_blocking(move || cloud.shared.code.put(fetch(&cloud, &location)?));
    taken.await.map_err(|error| ApiError::service(format!("taking the package in: {error}")))?
}

fn fetch(cloud: &Cloud, location: &CodeLocation) -> Result<Box<dyn Read>, ApiError> {
    match (&location.zip_file, &location.s3_bucket, &location.s3_key) {
        (Some(zip), None, None) => {
            let zip = STANDARD.decode(zip.trim_end()).map_err(|error| {
                ApiError::new(
                    400,
                    "SerializationException",
                    format!("ZipFile is not valid base64: {error}"),
                )
            })?;
            if zip.len() > ZIPPED_MAX {
                return Err(ApiError::new(
                    413,
                    "RequestEntityTooLargeException",
                    format!("Zipped size must be smaller than {ZIPPED_MAX} bytes"),
                ));
            }
            Ok(Box::new(Cursor::new(zip)))
        }
        (Some(_), _, _) => Err(ApiError::invalid(
            "Please do not provide other FunctionCode parameters when providing a ZipFile.",
        )),
        (None, Some(bucket), Some(key)) => {
            let version = location.s3_object_version.as_deref();
            match cloud.shared.objects.open_object(bucket, key, version, OBJECT_MAX) {
                Ok(file) => Ok(Box::new(file)),
                Err(error) => Err(ApiError::invalid(format!(
                    "Error occurred while GetObject. S3 Error Code: {}. S3 Error Message: {}",
                    error.code, error.message
                ))),
            }
        }
        _ => Err(ApiError::invalid("Please provide a source for function code.")),
    }
}

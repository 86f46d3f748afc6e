//! How AWS-speaking components reach the cloud that a release runs against.
//!
//! One TLS stack (rustls on ring), and no retries: the host is the one layer that retries. The
//! credential chain and the connections are kept per cloud, so that a call does not pay for them.

mod failure;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_smithy_http_client::tls;
use tokio::sync::OnceCell;
use wavegate_plugin_protocol::CloudAccess;

pub use failure::{
    BROKEN, CREDENTIALS, GARBLED, REFUSED, THROTTLED, TIMEOUT, UNAVAILABLE, UNREACHABLE,
    call_failed,
};

/// The access key, and the secret key, that are sent to the local cloud: it takes any, and the
/// user's own have no business there.
pub const LOCAL_KEY: &str = "wavegate";

/// How long a connection may take to be made: what the SDK itself uses.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(3_100);

/// How long one call may take. Control-plane calls and metric reads answer within seconds; a
/// component that waits longer (a synchronous invoke) sets its own.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);

/// How many clouds are kept: a release uses one per service, and plugins serve one host.
const MAX_CACHED: usize = 16;

/// The service that is spoken to. Each may have its own endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Service {
    /// AWS Lambda.
    Lambda,
    /// Amazon CloudWatch.
    CloudWatch,
}

impl Service {
    /// The name that people know.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lambda => "Lambda",
            Self::CloudWatch => "CloudWatch",
        }
    }
}

type Cache = Mutex<HashMap<(CloudAccess, Service), Arc<OnceCell<SdkConfig>>>>;

static CACHE: LazyLock<Cache> = LazyLock::new(Cache::default);

/// The settings for a client of `service` in this cloud. Built once and then kept.
///
/// The endpoint is the one in `access` if it names one, else what the standard chain says
/// (`AWS_ENDPOINT_URL` and its per-service forms, the profile), else AWS's own.
pub async fn sdk_config(access: &CloudAccess, service: Service) -> SdkConfig {
    let slot = slot(access, service);
    slot.get_or_init(|| build(access, service)).await.clone()
}

fn slot(access: &CloudAccess, service: Service) -> Arc<OnceCell<SdkConfig>> {
    // The map is valid after any panic: an entry is inserted whole or not at all.
    let mut cache = CACHE.lock().unwrap_or_else(PoisonError::into_inner);
    let key = (access.clone(), service);
    if cache.len() >= MAX_CACHED && !cache.contains_key(&key) {
        cache.clear();
    }
    Arc::clone(cache.entry(key).or_default())
}

async fn build(access: &CloudAccess, service: Service) -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .retry_config(RetryConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .timeout_config(timeouts);
    if !access.region.is_empty() {
        loader = loader.region(Region::new(access.region.clone()));
    }
    let endpoint = match service {
        Service::Lambda => access.lambda_endpoint(),
        Service::CloudWatch => access.cloudwatch_endpoint(),
    };
    if let Some(endpoint) = endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    if access.local {
        let keys = Credentials::new(LOCAL_KEY, LOCAL_KEY, None, None, "wavegate-local");
        // Loopback speaks plain HTTP: no reason to read the machine's root certificates.
        let http = aws_smithy_http_client::Builder::new().build_http();
        return loader.credentials_provider(keys).http_client(http).load().await;
    }
    let provider = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring);
    let https = aws_smithy_http_client::Builder::new().tls_provider(provider).build_https();
    loader.http_client(https).load().await
}

#[cfg(test)]
mod tests {
    use aws_credential_types::provider::ProvideCredentials;

    use super::*;

    fn local() -> CloudAccess {
        CloudAccess {
            region: "eu-west-1".into(),
            endpoint_url: Some("http://127.0.0.1:1".into()),
            cloudwatch_endpoint_url: Some("http://127.0.0.1:2".into()),
            lambda_endpoint_url: None,
            local: true,
        }
    }

    #[tokio::test]
    async fn the_local_cloud_gets_dummy_keys_its_endpoints_and_no_retries() {
        let config = sdk_config(&local(), Service::Lambda).await;
        assert_eq!(config.endpoint_url(), Some("http://127.0.0.1:1"));
        assert_eq!(config.region().map(ToString::to_string).as_deref(), Some("eu-west-1"));
        assert_eq!(config.retry_config().map(RetryConfig::max_attempts), Some(1));
        let keys = config.credentials_provider().unwrap().provide_credentials().await.unwrap();
        assert_eq!((keys.access_key_id(), keys.secret_access_key()), (LOCAL_KEY, LOCAL_KEY));
        let config = sdk_config(&local(), Service::CloudWatch).await;
        assert_eq!(config.endpoint_url(), Some("http://127.0.0.1:2"));
    }

    #[tokio::test]
    async fn any_other_cloud_has_the_standard_chain_and_tls() {
        let access = CloudAccess { local: false, ..local() };
        let config = sdk_config(&access, Service::Lambda).await;
        assert_eq!(config.endpoint_url(), Some("http://127.0.0.1:1"));
        let chain = format!("{:?}", config.credentials_provider());
        assert!(chain.contains("DefaultCredentialsChain"), "{chain}");
        assert!(config.http_client().is_some());
        assert_eq!(config.retry_config().map(RetryConfig::max_attempts), Some(1));
    }

    #[test]
    fn a_cloud_is_set_up_once_and_their_number_is_bounded() {
        let first = slot(&local(), Service::Lambda);
        assert!(Arc::ptr_eq(&first, &slot(&local(), Service::Lambda)));
        for port in 0..3 * MAX_CACHED {
            let endpoint_url = Some(format!("http://127.0.0.1:{port}"));
            slot(&CloudAccess { endpoint_url, ..local() }, Service::CloudWatch);
            assert!(CACHE.lock().unwrap().len() <= MAX_CACHED);
        }
    }
}

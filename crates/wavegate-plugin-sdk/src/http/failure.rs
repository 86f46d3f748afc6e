//! What a request without an answer means to people and to the layer that retries.

use std::error::Error;
use std::io;

use rustls::CertificateError;

use super::Address;
use super::redirect::Refusal;
use crate::{PluginError, text};

/// No connection could be made.
pub const UNREACHABLE: &str = "http.unreachable";
/// No answer came in time.
pub const TIMEOUT: &str = "http.timeout";
/// The connection broke before the answer was there: whether the request was heard cannot be told.
pub const BROKEN: &str = "http.broken";
/// No connection that is safe could be made. Waiting does not mend that.
pub const TLS: &str = "http.tls";
/// The server sends its callers somewhere else.
pub const REDIRECT: &str = "http.redirect";
/// The request itself cannot be sent as it is written.
pub const REQUEST: &str = "http.request";
/// An environment variable that is needed is not there.
pub const VARIABLE: &str = "http.variable";

/// How much of the cause is told.
const MAX_CAUSE_CHARS: usize = 300;

/// The error that a request without an answer comes to: one of the codes above.
pub(super) fn no_answer(address: &Address, error: &reqwest::Error) -> PluginError {
    if let Some(refusal) = find(error, |cause| cause.downcast_ref::<Refusal>()) {
        return PluginError::new(REDIRECT, format!("{address} {refusal}"));
    }
    if let Some(tls) = find(error, tls_error) {
        return PluginError::new(TLS, format!("{address} cannot be trusted: {}", tls_words(tls)));
    }
    // The first cause names only its kind, as the error itself does.
    let kind: &dyn Error = error.source().unwrap_or(error);
    let causes = || text::one_line(&text::causes(kind), MAX_CAUSE_CHARS);
    if error.is_connect() {
        return PluginError::new(UNREACHABLE, format!("{address} cannot be reached: {}", causes()))
            .retryable();
    }
    if error.is_timeout() {
        return PluginError::new(TIMEOUT, format!("{address} did not answer in time")).retryable();
    }
    if error.is_builder() {
        return PluginError::new(REQUEST, format!("{address} cannot be asked: {}", causes()));
    }
    PluginError::new(BROKEN, format!("{address} broke off: {}", causes())).retryable()
}

/// The error that a client comes to that cannot be built: there is no TLS on this machine.
pub(super) fn no_client(error: &reqwest::Error) -> PluginError {
    let causes = text::one_line(&text::causes(error), MAX_CAUSE_CHARS);
    let message =
        format!("HTTPS cannot be spoken from here: {causes}; are CA certificates installed?");
    PluginError::new(TLS, message)
}

/// The first in the chain of causes that `look` knows.
fn find<'a, T>(
    error: &'a (dyn Error + 'static),
    look: impl Fn(&'a (dyn Error + 'static)) -> Option<T>,
) -> Option<T> {
    std::iter::successors(Some(error), |&cause| cause.source()).find_map(look)
}

/// I/O errors, which may be wrapped in each other, hide what they wrap from the chain.
fn tls_error<'a>(cause: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let hidden = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    match hidden {
        Some(hidden) => tls_error(hidden),
        None => cause.downcast_ref::<rustls::Error>(),
    }
}

fn tls_words(error: &rustls::Error) -> String {
    use rustls::Error::{InvalidCertificate, InvalidMessage};
    let words = match error {
        InvalidCertificate(CertificateError::UnknownIssuer) => {
            "no authority that this machine knows has signed its certificate"
        }
        InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            "its certificate has expired"
        }
        InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => "its certificate is for another name",
        InvalidMessage(_) => "it does not speak TLS; is it an http:// address?",
        other => return text::one_line(&other.to_string(), MAX_CAUSE_CHARS),
    };
    words.to_owned()
}

//! How to start a cloud.

use std::path::PathBuf;

use super::LocalError;
use crate::home::{Home, is_account};
use crate::iam::Policy;

/// The fastest clock: beyond it a real millisecond is longer than CloudWatch's shortest period.
const TIME_SCALE_MAX: f64 = 10_000.0;

/// How to start a cloud.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Where its state lives. It is made, readable by its owner only.
    pub state_dir: PathBuf,
    /// The port on 127.0.0.1; any free one when absent.
    pub port: Option<u16>,
    /// How many virtual seconds pass in a real one.
    pub time_scale: f64,
    /// The region that calls are for which do not name one. There are all others, too.
    pub region: String,
    /// The twelve digits of the account whose calls those are which do not name one.
    pub account: String,
    /// Repeats ids and the choices of weighted aliases; from the system when absent.
    pub seed: Option<u64>,
    /// Lambda control-plane requests per real second (AWS: 15); no limit when absent.
    pub requests_per_second: Option<u32>,
    /// The policies that signed calls are held against; everything is allowed when absent.
    pub policies: Option<Vec<Policy>>,
    /// The roles of functions must exist in IAM, and Lambda must be able to assume them. Any role is
    /// taken otherwise.
    pub check_roles: bool,
}

impl Options {
    /// The defaults: any free port, real time, `us-east-1`, account 000000000000, no limit, any role.
    pub fn new(state_dir: impl Into<PathBuf>) -> Self {
        Self {
            state_dir: state_dir.into(),
            port: None,
            time_scale: 1.0,
            region: "us-east-1".to_owned(),
            account: "000000000000".to_owned(),
            seed: None,
            requests_per_second: None,
            policies: None,
            check_roles: false,
        }
    }

    /// Whose calls those are that name neither a region nor an account.
    pub(super) fn home(&self) -> Home {
        Home { region: self.region.clone(), account: self.account.clone() }
    }

    /// Refuses what makes no sense.
    pub(super) fn check(&self) -> Result<(), LocalError> {
        let refuse = |option, value: String, must| Err(LocalError::Option { option, value, must });
        let scale = self.time_scale;
        if !(scale.is_finite() && scale > 0.0 && scale <= TIME_SCALE_MAX) {
            return refuse("time_scale", scale.to_string(), "above 0 and at most 10000");
        }
        let account = &self.account;
        if !is_account(account) {
            return refuse("account", format!("{account:?}"), "twelve digits");
        }
        let region = &self.region;
        let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if region.is_empty() || !region.bytes().all(legal) {
            return refuse("region", format!("{region:?}"), "an AWS region such as us-east-1");
        }
        if self.requests_per_second == Some(0) {
            return refuse("requests_per_second", "0".to_owned(), "at least 1");
        }
        Ok(())
    }
}

//! Where things are: in one account, in one region.

use std::fmt;

/// An account in a region. Nothing of Lambda's, CodeDeploy's, CloudWatch's or its logs' is in two of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Home {
    /// The region's name.
    pub region: String,
    /// The twelve digits of the account.
    pub account: String,
}

impl Home {
    /// Reads what [`Home::to_string`] gives.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (account, region) = text.split_once('/')?;
        Some(Self { region: region.to_owned(), account: account.to_owned() })
    }
}

impl fmt::Display for Home {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}/{}", self.account, self.region)
    }
}

/// Twelve digits.
pub(crate) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `us-east-1`, `us-gov-west-1`, `eusc-de-east-1`.
pub(crate) fn is_region(text: &str) -> bool {
    let lower = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase());
    let mut parts: Vec<&str> = text.strip_prefix("eusc-").unwrap_or(text).split('-').collect();
    let is_special = |part: &&str| *part == "gov" || (part.starts_with("iso") && part.len() < 5);
    if parts.len() == 4 && parts.get(1).is_some_and(is_special) {
        parts.remove(1);
    }
    let [country, place, number] = parts.as_slice() else { return false };
    let is_digit = number.len() == 1 && number.bytes().all(|byte| byte.is_ascii_digit());
    country.len() == 2 && lower(country) && lower(place) && is_digit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_is_read_as_it_is_written() {
        let home = Home { region: "eu-west-1".to_owned(), account: "123456789012".to_owned() };
        assert_eq!(home.to_string(), "123456789012/eu-west-1");
        assert_eq!(Home::parse(&home.to_string()), Some(home));
        assert_eq!(Home::parse("eu-west-1"), None);
    }

    #[test]
    fn regions_and_accounts_are_known_by_their_form() {
        for region in
            ["us-east-1", "ap-southeast-7", "us-gov-west-1", "us-iso-east-1", "eusc-de-east-1"]
        {
            assert!(is_region(region), "{region}");
        }
        for text in [
            "",
            "us-east",
            "us-east-1a",
            "US-EAST-1",
            "us-east-10",
            "east-1",
            "a.b-c-1",
            "../x-y-1",
        ] {
            assert!(!is_region(text), "{text}");
        }
        assert!(
            is_account("000000000000") && !is_account("00000000000") && !is_account("00000000000a")
        );
    }
}

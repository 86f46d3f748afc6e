//! Which addresses are never spoken to: those at which a machine asks its own cloud for credentials,
//! and those that are nobody's.
//!
//! Link-local addresses are where EC2, ECS and their like answer (169.254.169.254, 169.254.170.2,
//! fd00:ec2::254). What answers there has no business in a release, and what it says would be shown.
//! This machine and private networks are different: judges and Prometheus servers live there.
//!
//! Invariant: it is the address that is connected to that is judged, whatever it was written as, and
//! after its name was resolved: nothing is resolved a second time. (A proxy resolves for itself.)

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Where Amazon answers on IPv6.
const AMAZON: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254);
/// The networks whose addresses carry one of IPv4 in their last 32 bits, beside those that are mapped:
/// NAT64 (RFC 6052).
const NAT64: [u16; 6] = [0x64, 0xff9b, 0, 0, 0, 0];

/// Whether an address is one that is never spoken to.
pub(super) fn is_forbidden(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_forbidden_v4(address),
        IpAddr::V6(address) => {
            let is_own = address.is_unicast_link_local()
                || address.is_multicast()
                || address.is_unspecified()
                || address == AMAZON;
            is_own || embedded(address).is_some_and(is_forbidden_v4)
        }
    }
}

fn is_forbidden_v4(address: Ipv4Addr) -> bool {
    address.is_link_local()
        || address.is_unspecified()
        || address.is_broadcast()
        || address.is_multicast()
        // "This network", of which only 0.0.0.0 has a meaning anywhere.
        || address.octets()[0] == 0
}

/// The address of IPv4 that one of IPv6 stands for.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let parts = address.segments();
    let last = || {
        let [a, b] = parts[6].to_be_bytes();
        let [c, d] = parts[7].to_be_bytes();
        Ipv4Addr::new(a, b, c, d)
    };
    // ::a.b.c.d (without ::1), ::ffff:a.b.c.d and 64:ff9b::a.b.c.d; 2002:AABB:CCDD:: is 6to4.
    let is_compatible = parts[..6] == [0; 6] && address != Ipv6Addr::LOCALHOST;
    let is_mapped = parts[..5] == [0; 5] && parts[5] == 0xffff;
    if is_compatible || is_mapped || parts[..6] == NAT64 {
        return Some(last());
    }
    (parts[0] == 0x2002).then(|| {
        let [a, b] = parts[1].to_be_bytes();
        let [c, d] = parts[2].to_be_bytes();
        Ipv4Addr::new(a, b, c, d)
    })
}

/// Resolves names as the system does, and leaves out what is never spoken to.
pub(super) struct Checked;

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> =
                found.filter(|address| !is_forbidden(address.ip())).collect();
            if allowed.is_empty() {
                let words = "its name leads to an address that is never spoken to (link-local, \
                             where clouds give credentials)";
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, words).into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Address, InvalidAddress};

    #[test]
    fn no_spelling_of_a_metadata_service_is_an_address() {
        for host in [
            "169.254.169.254",
            "169.254.169.254.",
            "169.254.170.2",
            "169.254.0.1",
            "169.254.255.255",
            "2852039166",
            "0xa9fea9fe",
            "0xA9FEA9FE",
            "025177524776",
            "0xa9.0xfe.0xa9.0xfe",
            "0251.0376.0251.0376",
            "0251.254.0xa9.254",
            "169.254.43518",
            "169.16689662",
            "169.254.0xa9fe",
            "0xa9.254.169.254",
            "00000251.0376.0251.0376",
            "%31%36%39.254.169.254",
            "169%2E254%2E169%2E254",
            "１６９.254.169.254",
            "169。254。169。254",
            "169．254．169．254",
            "①⑥⑨.254.169.254",
            "[::ffff:169.254.169.254]",
            "[::ffff:a9fe:a9fe]",
            "[0:0:0:0:0:ffff:a9fe:a9fe]",
            "[::FFFF:A9FE:A9FE]",
            "[::169.254.169.254]",
            "[64:ff9b::169.254.169.254]",
            "[64:ff9b::a9fe:a9fe]",
            "[2002:a9fe:a9fe::]",
            "[2002:a9fe:a9fe::1]",
            "[fd00:ec2::254]",
            "[fd00:0ec2:0000:0000:0000:0000:0000:0254]",
            "[FD00:EC2::254]",
            "[fe80::1]",
            "[fe80::a9fe:a9fe]",
            "[febf::1]",
            "[ff02::1]",
            "[::]",
            "[::ffff:0.0.0.0]",
            "0.0.0.0",
            "0",
            "0x0",
            "0.1.2.3",
            "255.255.255.255",
            "0xffffffff",
            "224.0.0.1",
            "239.255.255.250",
        ] {
            for text in [format!("http://{host}/latest/meta-data"), format!("https://{host}:8080/")]
            {
                let error = text.parse::<Address>().unwrap_err();
                assert_eq!(error, InvalidAddress::Forbidden, "{text}");
            }
        }
        for text in [
            "http://user@169.254.169.254/",
            "http://169.254.169.254@example.com/",
            "http://example.com@169.254.169.254/",
            "http://[fe80::1%25eth0]/",
            "http://169.254.169.254 /",
            "http://169.254.169.254\u{9}/",
            "gopher://169.254.169.254/",
            "file:///etc/passwd",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }

    #[test]
    fn this_machine_and_private_networks_may_be_asked() {
        for host in [
            "localhost:9090",
            "127.0.0.1:9090",
            "[::1]:9090",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "[fd12::1]",
            "[::ffff:10.0.0.1]",
            "169.253.255.255",
            "169.255.0.1",
            "judge.example.com",
        ] {
            assert!(format!("http://{host}/").parse::<Address>().is_ok(), "{host}");
        }
    }

    #[tokio::test]
    async fn a_name_is_judged_by_what_it_leads_to() {
        let found = Checked.resolve("localhost".parse().unwrap()).await.unwrap();
        assert!(found.into_iter().count() > 0);
        // As a name resolves to itself, so would one that somebody's server gives this address.
        let refused = Checked.resolve("169.254.169.254".parse().unwrap()).await;
        assert!(refused.err().unwrap().to_string().contains("never spoken to"));
    }
}

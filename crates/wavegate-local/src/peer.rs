//! Who is at the other end of a loopback connection.
//!
//! Whoever may speak to the local cloud may run code as its owner: create a function, invoke it. On a
//! machine that several people share, loopback alone would let all of them. Linux tells whose socket
//! the other end is; where the system does not tell, the connection is let in. The kernel is asked for
//! this one socket (sock_diag(7)): its whole table, which is read where it does not answer, has
//! thousands of lines on a busy cloud.
//!
//! Invariant: where the table of sockets can be read, only a connection whose other end is held open
//! by the owner, or by root, is let in. One that was closed already has no owner any more, and is not.

use std::fmt::Write as _;
use std::net::{SocketAddr, SocketAddrV4};

use nix::unistd::{Uid, geteuid};
use tokio::net::TcpStream;

/// The kernel's table of IPv4 sockets.
const TABLE: &str = "/proc/net/tcp";

/// States of a socket in the table.
const ESTABLISHED: &str = "01";
const LISTEN: &str = "0A";

/// Whether a connection that was just accepted comes from the owner of this process.
pub(crate) async fn is_own(stream: &TcpStream) -> bool {
    let (Ok(SocketAddr::V4(here)), Ok(SocketAddr::V4(there))) =
        (stream.local_addr(), stream.peer_addr())
    else {
        return false;
    };
    let is_own = match diag::owner(there, here) {
        Some(Holder::User(uid)) => uid == geteuid() || uid.is_root(),
        Some(Holder::Nobody) => false,
        None => match tokio::fs::read_to_string(TABLE).await {
            Ok(table) => judge(&table, here, there, geteuid()),
            Err(_) => true,
        },
    };
    if !is_own {
        tracing::warn!(%there, "a connection of another user of this machine is refused");
    }
    is_own
}

/// Who holds a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holder {
    User(Uid),
    /// It was closed, or is not connected.
    Nobody,
}

/// The kernel's answer about one socket.
#[cfg(target_os = "linux")]
mod diag {
    use std::net::SocketAddrV4;
    use std::os::fd::AsRawFd as _;

    use nix::sys::socket::{
        AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket,
    };
    use nix::unistd::Uid;

    use super::Holder;

    // <linux/netlink.h>, <linux/sock_diag.h>, <linux/inet_diag.h>, <net/tcp_states.h>.
    const SOCK_DIAG_BY_FAMILY: u16 = 20;
    const NLM_F_REQUEST: u16 = 1;
    const NLMSG_ERROR: u16 = 2;
    const ENOENT: i32 = 2;
    const AF_INET: u8 = 2;
    const IPPROTO_TCP: u8 = 6;
    const ESTABLISHED: u8 = 1;
    /// `struct nlmsghdr`.
    const HEAD: usize = 16;
    /// With `struct inet_diag_req_v2`, and with `struct inet_diag_msg`.
    const REQUEST: usize = HEAD + 56;
    const ANSWER: usize = HEAD + 72;

    /// Who holds the socket of `local` that is connected to `remote`. `None`: the kernel does not
    /// tell.
    pub(super) fn owner(local: SocketAddrV4, remote: SocketAddrV4) -> Option<Holder> {
        let netlink = socket(
            AddressFamily::Netlink,
            SockType::Datagram,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            SockProtocol::NetlinkSockDiag,
        )
        .ok()?;
        send(netlink.as_raw_fd(), &request(local, remote), MsgFlags::empty()).ok()?;
        // The kernel has answered by the time that `send` returns.
        let mut answer = [0; 512];
        let length = recv(netlink.as_raw_fd(), &mut answer, MsgFlags::empty()).ok()?;
        read(answer.get(..length)?)
    }

    fn request(local: SocketAddrV4, remote: SocketAddrV4) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(REQUEST);
        bytes.extend(u32::try_from(REQUEST).unwrap_or_default().to_ne_bytes());
        bytes.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
        bytes.extend(NLM_F_REQUEST.to_ne_bytes());
        bytes.extend([0; 8]); // Sequence and sender.
        bytes.extend([AF_INET, IPPROTO_TCP, 0, 0]);
        bytes.extend(u32::MAX.to_ne_bytes()); // Any state.
        bytes.extend(local.port().to_be_bytes());
        bytes.extend(remote.port().to_be_bytes());
        for address in [local, remote] {
            bytes.extend(address.ip().octets());
            bytes.extend([0; 12]);
        }
        bytes.extend([0; 4]); // Any interface.
        bytes.extend([u8::MAX; 8]); // No cookie.
        bytes
    }

    fn read(answer: &[u8]) -> Option<Holder> {
        let number = |at: usize| answer.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes);
        let kind = u16::from_ne_bytes(answer.get(4..6)?.try_into().ok()?);
        if kind == NLMSG_ERROR {
            let error = i32::from_ne_bytes(answer.get(HEAD..HEAD + 4)?.try_into().ok()?);
            return (error == -ENOENT).then_some(Holder::Nobody);
        }
        if kind != SOCK_DIAG_BY_FAMILY || answer.len() < ANSWER {
            return None;
        }
        // A socket that nobody holds any more has no inode.
        let is_held = answer[HEAD + 1] == ESTABLISHED && number(HEAD + 68)? != 0;
        let uid = number(HEAD + 64)?;
        Some(if is_held { Holder::User(Uid::from_raw(uid)) } else { Holder::Nobody })
    }
}

/// Elsewhere nothing tells.
#[cfg(not(target_os = "linux"))]
mod diag {
    pub(super) fn owner(
        _: std::net::SocketAddrV4,
        _: std::net::SocketAddrV4,
    ) -> Option<super::Holder> {
        None
    }
}

fn judge(table: &str, here: SocketAddrV4, there: SocketAddrV4, owner: Uid) -> bool {
    let (here, there) = (hex(here), hex(there));
    let mut is_told = false;
    for line in table.lines() {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let (Some(local), Some(remote), Some(state)) =
            (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        if local == here && state == LISTEN {
            // The table has this process's own sockets, so it is the right one.
            is_told = true;
        }
        if (local, remote) == (there.as_str(), here.as_str()) {
            let mut fields = fields.skip(3);
            let uid = fields.next().and_then(|uid| uid.parse().ok()).map(Uid::from_raw);
            // A socket that nobody holds any more is said to be root's, and has no inode.
            let is_held = fields.nth(1).is_some_and(|inode| inode != "0");
            let is_owners = uid.is_some_and(|uid| uid == owner || uid.is_root());
            return state == ESTABLISHED && is_held && is_owners;
        }
    }
    !is_told
}

/// An address as the table writes it: the four bytes as one number of this machine, in hexadecimal.
fn hex(address: SocketAddrV4) -> String {
    let mut text = String::with_capacity(13);
    let bytes = u32::from_ne_bytes(address.ip().octets());
    let _ = write!(text, "{bytes:08X}:{:04X}", address.port());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

    fn row(local: &str, remote: &str, state: &str, uid: u32, inode: u32) -> String {
        format!(
            "   0: {local} {remote} {state} 00000000:00000000 00:00000000 00000000  {uid:>4}        0 {inode} 1 0\n"
        )
    }

    #[test]
    fn only_a_socket_that_the_owner_or_root_holds_is_let_in() {
        let address = |port| SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, port);
        let (here, there) = (address(4566), address(40_000));
        let (own, other) = (hex(here), hex(there));
        let listening = row(&own, "00000000:0000", LISTEN, 1000, 7);
        let server = row(&own, &other, ESTABLISHED, 1000, 8);
        let judged = |client: &str| {
            let table = format!("{HEAD}{listening}{server}{client}");
            judge(&table, here, there, Uid::from_raw(1000))
        };
        assert!(judged(&row(&other, &own, ESTABLISHED, 1000, 9)));
        assert!(judged(&row(&other, &own, ESTABLISHED, 0, 9)));
        assert!(!judged(&row(&other, &own, ESTABLISHED, 1001, 9)));
        // Closed right after the request was sent: whose it was is not known any more.
        assert!(!judged(&row(&other, &own, "04", 0, 0)));
        assert!(!judged(&row(&other, &own, "06", 0, 0)));
        assert!(!judged(&row(&other, &own, ESTABLISHED, 0, 0)));
        assert!(!judged(""));
        // A table without this process's own socket tells nothing.
        assert!(judge(HEAD, here, there, Uid::from_raw(1000)));
        assert!(judge("", here, there, Uid::from_raw(1000)));
    }

    #[tokio::test]
    async fn a_connection_of_this_process_is_its_owners() {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let client = TcpStream::connect(address).await.unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        assert!(is_own(&accepted).await);
        let (Ok(SocketAddr::V4(there)), SocketAddr::V4(here)) = (client.local_addr(), address)
        else {
            panic!("IPv4");
        };
        if cfg!(target_os = "linux") {
            assert_eq!(diag::owner(there, here), Some(Holder::User(geteuid())));
        }
        drop(client);
        if cfg!(target_os = "linux") {
            assert_eq!(diag::owner(there, here), Some(Holder::Nobody));
        }
    }
}

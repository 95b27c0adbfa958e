//! Sockets in the file system, which no namespace hides: whoever cannot make one of their kind connects to none.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter,
};

/// What is set in the number of a system call that is made by the conventions of x32.
const X32: i64 = 0x4000_0000;

/// What of the type of a socket is its type; the rest are flags.
const SOCKET_TYPE: u64 = 0xf;

/// Refuses this thread, and all that it starts, sockets of the kind `AF_UNIX`. Pairs of them, which have no name, are allowed, but
/// not those of datagrams: such a one can be connected anew, to a name.
///
/// # Errors
///
/// Returns an error on a machine of a kind that the filter is not written for, and where the kernel takes none.
pub(super) fn refuse() -> Result<(), Box<dyn std::error::Error>> {
    let unix = u64::try_from(libc::AF_UNIX)?;
    let is_unix = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, unix)?;
    let is_type = |kind: libc::c_int| -> Result<SeccompRule, Box<dyn std::error::Error>> {
        let (compared, kind) = (SeccompCmpOp::MaskedEq(SOCKET_TYPE), u64::try_from(kind)?);
        Ok(SeccompRule::new(vec![SeccompCondition::new(1, SeccompCmpArgLen::Dword, compared, kind)?])?)
    };
    let mut refused = BTreeMap::from([
        (libc::SYS_socket, vec![SeccompRule::new(vec![is_unix])?]),
        // Of `AF_UNIX`, the kernel makes datagrams of raw ones.
        (libc::SYS_socketpair, vec![is_type(libc::SOCK_DGRAM)?, is_type(libc::SOCK_RAW)?]),
        // A queue of requests to the kernel makes sockets too, and no filter looks into it.
        (libc::SYS_io_uring_setup, Vec::new()),
    ]);
    if cfg!(target_arch = "x86_64") {
        // The same calls by other numbers, where the kernel has them.
        let same: Vec<(i64, Vec<SeccompRule>)> =
            refused.iter().map(|(number, rules)| (number | X32, rules.clone())).collect();
        refused.extend(same);
    }
    let architecture = TargetArch::try_from(std::env::consts::ARCH)?;
    let denied = SeccompAction::Errno(u32::try_from(libc::EACCES)?);
    let filter = SeccompFilter::new(refused, SeccompAction::Allow, denied, architecture)?;
    Ok(apply_filter(&BpfProgram::try_from(filter)?)?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};

    #[test]
    fn no_socket_of_the_file_system_is_connected_to_and_pairs_and_programs_go_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let _listener = UnixListener::bind(&path).unwrap();
        // The filter holds for the thread that asks for it, for ever.
        let thread = std::thread::spawn(move || {
            assert!(UnixStream::connect(&path).is_ok());
            assert!(UnixDatagram::pair().is_ok());
            super::refuse().unwrap();
            let refused = UnixStream::connect(&path).unwrap_err();
            assert_eq!(refused.kind(), std::io::ErrorKind::PermissionDenied);
            assert!(UnixStream::pair().is_ok());
            let refused = UnixDatagram::pair().unwrap_err();
            assert_eq!(refused.kind(), std::io::ErrorKind::PermissionDenied);
            assert!(std::net::UdpSocket::bind("127.0.0.1:0").is_ok());
            assert!(std::process::Command::new("true").status().unwrap().success());
        });
        thread.join().unwrap();
    }
}

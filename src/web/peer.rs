//! Who is at the other end of a connection: the kernel says it, so it goes into the ledger.

use tokio::net::UnixStream;

/// The user's name and number, as far as they can be known.
pub(super) fn actor(stream: &UnixStream) -> String {
    let Ok(credentials) = stream.peer_cred() else {
        return "somebody at the socket".to_owned();
    };
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    named(&users, credentials.uid())
}

/// The line of a user in the format of passwd(5).
fn named(users: &str, uid: u32) -> String {
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let found = fields.nth(1)?.parse::<u32>().ok()?;
        (found == uid).then_some(name)
    });
    match name {
        Some(name) => format!("{name} (uid {uid})"),
        None => format!("uid {uid}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_named_where_the_machine_knows_the_name() {
        let users = "root:x:0:0:root:/root:/bin/sh\n\nbroken\nops:x:1000:1000::/home/ops:/bin/sh\n";
        assert_eq!(named(users, 1000), "ops (uid 1000)");
        assert_eq!(named(users, 7), "uid 7");
    }
}

//! How a PostgreSQL server is signed in to, and the file of passwords that its own tools read.

use std::fmt;

use secrecy::SecretString;

use super::address::Address;

/// Who signs in, with what, and who vouches for the server.
#[derive(Clone)]
pub struct Access {
    /// The role.
    pub user: String,
    /// Its password; none where the server asks for none.
    pub password: Option<SecretString>,
    /// Certificate authorities, in PEM, besides the system's.
    pub authorities: Option<Vec<u8>>,
}

/// The lines of a file of passwords: `HOST:PORT:DATABASE:USER:PASSWORD`, each of the first four may be `*`.
pub struct Passwords {
    lines: Vec<[String; 5]>,
}

impl Passwords {
    /// Reads the file's text. What is no such line says nothing.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        Self { lines: lines.filter_map(fields).collect() }
    }

    /// The password of the first line that fits.
    #[must_use]
    pub fn find(&self, address: &Address, user: &str) -> Option<SecretString> {
        let (host, port, database) = address.target();
        let wanted = [host.as_str(), &port.to_string(), &database, user];
        let fits = |line: &&[String; 5]| {
            line.iter().zip(wanted).all(|(field, wanted)| field == "*" || field == wanted)
        };
        let [.., password] = self.lines.iter().find(fits)?;
        Some(SecretString::from(password.as_str()))
    }
}

/// The fields of a line, in which `\` takes the meaning from what follows.
fn fields(line: &str) -> Option<[String; 5]> {
    let mut fields = vec![String::new()];
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        let (is_last, field) = (fields.len() == 5, fields.last_mut()?);
        match character {
            '\\' => field.extend(characters.next()),
            ':' if !is_last => fields.push(String::new()),
            plain => field.push(plain),
        }
    }
    fields.try_into().ok()
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("user", &self.user).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn the_first_line_that_fits_gives_the_password() {
        let text = "# who\nnonsense\ndb:5432:ledger:ci:one\n*:6432:*:ci:t\\:w\\\\o:x\n*:*:ledger:*:three\n";
        let passwords = Passwords::parse(text);
        for (url, user, expected) in [
            ("postgres://db/ledger", "ci", Some("one")),
            ("postgres://other:6432/any", "ci", Some("t:w\\o:x")),
            ("postgres://db/ledger", "bob", Some("three")),
            ("postgres://db/any", "bob", None),
        ] {
            let found = passwords.find(&Address::parse(url).unwrap(), user);
            assert_eq!(found.as_ref().map(|found| found.expose_secret()), expected, "{url}");
        }
    }
}

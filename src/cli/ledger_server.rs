//! A ledger in a database: from its URL, and what PostgreSQL's own variables and files say of signing in.

use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::environment::Environment;
use super::exit::Exit;
use super::fault::Fault;
use crate::core::file::read_bounded;
use crate::core::text::visible;
use crate::ledger::{Access, Address, Passwords};

/// What a file of passwords or certificate authorities has at the most.
const MOST: usize = 1 << 20;

/// A database, and how it is signed in to.
#[derive(Debug, Clone)]
pub(super) struct Server {
    pub address: Address,
    pub access: Access,
}

impl Server {
    /// Reads the URL, which has no password in it; `wrong` is the exit code for what is none.
    pub fn read(url: &str, home: &Path, wrong: Exit, environment: &Environment) -> Result<Self, Fault> {
        let address = Address::parse(url).map_err(|error| {
            Fault::new(wrong, format!("the ledger's URL cannot be taken: {error}"))
                .hint("name a database: `postgres://[USER@]HOST[:PORT]/DATABASE`")
        })?;
        let users =
            [address.user(), environment.get("PGUSER"), environment.get("LOGNAME"), environment.get("USER")];
        let Some(user) = users.into_iter().flatten().next().map(str::to_owned) else {
            return Err(Fault::new(wrong, "the ledger's URL names no user, and neither does PGUSER")
                .hint("name one: `postgres://USER@HOST/DATABASE`"));
        };
        let root = address.root().map(|root| home.join(root));
        let root = root.or_else(|| environment.get("PGSSLROOTCERT").map(PathBuf::from));
        let authorities = root.map(|root| read(&root, "certificate authorities")).transpose()?;
        let password = password(&address, &user, environment)?;
        Ok(Self { access: Access { user, password, authorities }, address })
    }
}

impl PartialEq for Server {
    fn eq(&self, other: &Self) -> bool {
        self.address == other.address && self.access.user == other.access.user
    }
}

impl Eq for Server {}

/// PGPASSWORD, else what the file says that PGPASSFILE names, else what `~/.pgpass` says, where it is there.
fn password(address: &Address, user: &str, environment: &Environment) -> Result<Option<SecretString>, Fault> {
    if let Some(password) = environment.get("PGPASSWORD") {
        return Ok(Some(SecretString::from(password)));
    }
    let named = environment.get("PGPASSFILE").map(PathBuf::from);
    let usual = || {
        let path = Path::new(environment.get("HOME")?).join(".pgpass");
        path.exists().then_some(path)
    };
    let Some(path) = named.or_else(usual) else { return Ok(None) };
    #[cfg(unix)]
    if let Ok(found) = fs_err::metadata(&path)
        && std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o077 != 0
        && found.is_file()
    {
        let shown = path.display().to_string();
        return Err(Fault::new(
            Exit::Invalid,
            format!("others may read the passwords in `{}`", visible(&shown)),
        )
        .hint("keep it to its owner: `chmod 600`"));
    }
    let text = read(&path, "passwords")?;
    Ok(Passwords::parse(&String::from_utf8_lossy(&text)).find(address, user))
}

fn read(path: &Path, what: &str) -> Result<Vec<u8>, Fault> {
    read_bounded(path, MOST).map_err(|error| {
        let shown = path.display().to_string();
        Fault::new(
            Exit::Invalid,
            format!("the ledger's {what} cannot be read from `{}`: {error}", visible(&shown)),
        )
    })
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;
    use crate::core::file::replace;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        let mut environment = Environment::default();
        for (name, value) in variables {
            environment.variables.insert((*name).into(), (*value).into());
        }
        environment
    }

    fn found(url: &str, variables: &[(&str, &str)]) -> Result<(String, Option<String>), (Exit, String)> {
        let server = Server::read(url, Path::new(""), Exit::Usage, &environment(variables));
        let Server { access, .. } = server.map_err(|fault| (fault.exit, format!("{fault:?}")))?;
        Ok((access.user, access.password.map(|password| password.expose_secret().to_owned())))
    }

    #[test]
    fn who_signs_in_and_with_what_is_said_as_postgresqls_own_tools_say_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".pgpass");
        replace(&path, b"h:5432:d:ci:from-file\n").unwrap();
        let mode = |mode| std::os::unix::fs::PermissionsExt::from_mode(mode);
        fs_err::set_permissions(&path, mode(0o600)).unwrap();
        let home = folder.path().to_str().unwrap();
        let file = path.to_str().unwrap();
        let is = |found: Result<(String, Option<String>), _>, user: &str, password: Option<&str>| {
            assert_eq!(found, Ok::<_, (Exit, String)>((user.to_owned(), password.map(str::to_owned))));
        };
        is(found("postgres://ci@h/d", &[("USER", "me")]), "ci", None);
        is(
            found("postgres://h/d", &[("USER", "me"), ("PGUSER", "ci"), ("PGPASSFILE", file)]),
            "ci",
            Some("from-file"),
        );
        is(found("postgres://h/d", &[("USER", "ci"), ("HOME", home)]), "ci", Some("from-file"));
        let both = [("PGPASSWORD", "given"), ("PGPASSFILE", file)];
        is(found("postgres://ci@h/d", &both), "ci", Some("given"));
        assert_eq!(found("postgres://h/d", &[]).unwrap_err().0, Exit::Usage);
        let none = folder.path().join("none");
        let missing = found("postgres://ci@h/d", &[("PGPASSFILE", none.to_str().unwrap())]);
        assert_eq!(missing.unwrap_err().0, Exit::Invalid);
        fs_err::set_permissions(&path, mode(0o640)).unwrap();
        let (exit, said) = found("postgres://ci@h/d", &[("PGPASSFILE", file)]).unwrap_err();
        assert!(exit == Exit::Invalid && said.contains("others may read") && !said.contains("from-file"));
    }
}

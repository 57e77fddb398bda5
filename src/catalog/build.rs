//! Before the crate is compiled: the data that it ships, from YAML to JSON, which a start reads in a tenth of the time.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

const YAML: [&str; 3] =
    ["src/catalog/profiles/loopiq.yaml", "src/sandbox/store/seed.yaml", "src/sandbox/store/history.yaml"];

fn main() -> Result<(), Box<dyn Error>> {
    let folder = env::var_os("OUT_DIR").ok_or("no folder to write to")?;
    for file in YAML.map(Path::new) {
        println!("cargo::rerun-if-changed={}", file.display());
        let data: serde_json::Value = serde_yaml::from_str(&fs::read_to_string(file)?)?;
        let name = file.with_extension("json");
        let name = name.file_name().ok_or("a file without a name")?;
        #[expect(
            clippy::disallowed_methods,
            reason = "cargo runs this alone, and again where it was cut off"
        )]
        fs::write(Path::new(&folder).join(name), data.to_string())?;
    }
    Ok(())
}

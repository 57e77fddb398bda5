//! Before the crate is compiled: LoopIQ's profile from YAML to JSON, which a start reads in a tenth of the time.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

const YAML: &str = "src/catalog/profiles/loopiq.yaml";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={YAML}");
    let profile: serde_json::Value = serde_yaml::from_str(&fs::read_to_string(YAML)?)?;
    let folder = env::var_os("OUT_DIR").ok_or("no folder to write to")?;
    #[expect(clippy::disallowed_methods, reason = "cargo runs this alone, and again where it was cut off")]
    fs::write(Path::new(&folder).join("loopiq.json"), profile.to_string())?;
    Ok(())
}

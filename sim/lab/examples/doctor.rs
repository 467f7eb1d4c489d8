//! Prints what this machine can do; `--json` for programs.

fn main() -> anyhow::Result<()> {
    let report = dzsim_lab::doctor::check();
    match std::env::args().nth(1).as_deref() {
        Some("--json") => println!("{}", serde_json::to_string_pretty(&report)?),
        _ => print!("{report}"),
    }
    Ok(())
}

//! Serves a local cloud until interrupted: `serve DIRECTORY [TIME_SCALE [PORT [REQUESTS_PER_SECOND]]]`.
//! Prints its address on the first line.

use wavegate_local::{LocalCloud, Options};

#[expect(clippy::print_stdout, reason = "this is a program, not the library")]
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut options = Options::new(arguments.next().ok_or("give a state directory")?);
    if let Some(scale) = arguments.next() {
        options.time_scale = scale.parse()?;
    }
    options.port = arguments.next().map(|port| port.parse()).transpose()?.filter(|port| *port != 0);
    options.requests_per_second = arguments.next().map(|rate| rate.parse()).transpose()?;
    let cloud = LocalCloud::start(options).await?;
    println!("{}", cloud.url());
    tokio::signal::ctrl_c().await?;
    cloud.shutdown().await;
    Ok(())
}

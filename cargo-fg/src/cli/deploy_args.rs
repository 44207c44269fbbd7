//! The arguments of `cargo fg deploy`.

use std::path::PathBuf;
use std::process::ExitCode;

use super::package_args::PackageArgs;
use super::source_args::TargetArgs;
use crate::deploy::{
    Action, DeployOptions, DeploySource, Endpoint, deploy, parse_link, parse_name,
};
use crate::package::Steps;

const AFTER_HELP: &str = "\
The access key is read from HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK, or from
HW_ACCESS_KEY and HW_SECRET_KEY. It cannot be an argument, since other
processes could read that. --dry-run and --terraform need no key.

`deploy` shows how the list of dependencies will change, and asks before it
uploads anything. It changes only the version `latest` of the function.

With --terraform, --runtime is needed, and so is --region without --link.

The exit status is 1 if something failed or if you did not agree, and 2 if the
arguments are wrong.";

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct DeployArgs {
    #[command(flatten)]
    pub(super) package: PackageArgs,
    /// ZIP to deploy, instead of a package
    #[arg(long, value_name = "FILE", conflicts_with_all = ["package", "bin", "example", "out", "include", "triple", "env_file", "env"])]
    zip: Option<PathBuf>,
    /// URL of a ZIP in OBS to deploy, instead of a package: for those that are too large to upload
    #[arg(long, value_name = "URL", value_parser = parse_link, conflicts_with_all = ["zip", "package", "bin", "example", "out", "include", "triple", "env_file", "env"])]
    link: Option<String>,
    /// Function to add the dependency to: its URN, or its name (default: upload only)
    #[arg(long, value_name = "FUNCTION")]
    function: Option<String>,
    /// Region, such as cn-north-4 (default: that of the URN, or HW_REGION_NAME)
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// ID of the project in the region (default: that of the URN, HUAWEICLOUD_SDK_PROJECT_ID or HW_PROJECT_ID)
    #[arg(long, value_name = "ID")]
    project_id: Option<String>,
    /// Runtime of the dependency, such as Python3.9 (default: that of the function)
    #[arg(long, value_name = "RUNTIME")]
    runtime: Option<String>,
    /// Name of the dependency (default: that of the package or of the ZIP)
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    name: Option<String>,
    /// Description of the version
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Deploy without asking
    #[arg(short, long)]
    yes: bool,
    /// Print the requests without secrets, and send nothing
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Print resources for Terraform, and send nothing
    #[arg(long, conflicts_with_all = ["yes", "dry_run", "endpoint"])]
    terraform: bool,
    /// Address of the API (default: https://functiongraph.REGION.myhuaweicloud.com)
    #[arg(long, value_name = "URL")]
    endpoint: Option<Endpoint>,
}

impl DeployArgs {
    /// Returns the arguments that select a package, unless a ZIP is deployed.
    pub(super) fn package_target(&self) -> Option<&TargetArgs> {
        (self.zip.is_none() && self.link.is_none()).then_some(&self.package.target)
    }

    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let action = match (self.dry_run, self.terraform, self.yes) {
            (true, _, _) => Action::PrintRequests,
            (_, true, _) => Action::PrintTerraform,
            (_, _, true) => Action::Deploy,
            (false, false, false) => Action::Ask,
        };
        deploy(DeployOptions {
            source: match (self.zip, self.link) {
                (Some(zip), _) => DeploySource::Zip(zip),
                (None, Some(link)) => DeploySource::Link(link),
                // Stdout is for the requests, the resources or the difference.
                (None, None) => {
                    DeploySource::Package(Box::new(self.package.options(Steps::Stderr)?))
                }
            },
            function: self.function,
            region: self.region,
            project_id: self.project_id,
            endpoint: self.endpoint,
            runtime: self.runtime,
            name: self.name,
            description: self.description,
            action,
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

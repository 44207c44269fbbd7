//! Where to deploy: the region, the project, and the function.

use anyhow::bail;

use super::DeployOptions;
use super::function_urn::{FunctionChoice, FunctionUrn, is_part};

/// The variables for the project: that of the official SDKs, and that of the Terraform provider.
const PROJECT_VARIABLES: [&str; 2] = ["HUAWEICLOUD_SDK_PROJECT_ID", "HW_PROJECT_ID"];

/// The variable of the Terraform provider for the region.
const REGION_VARIABLES: [&str; 1] = ["HW_REGION_NAME"];

/// The place of the function or of the dependency.
pub(super) struct Place {
    pub(super) region: Option<String>,
    pub(super) project_id: Option<String>,
    pub(super) function: Option<FunctionUrn>,
}

impl Place {
    /// Returns where to deploy: what the URN says, then the options, then the environment.
    pub(super) fn new(options: &DeployOptions) -> anyhow::Result<Self> {
        let choice = options.function.as_deref().map(FunctionChoice::parse);
        let choice = choice.transpose()?;
        if let Some(FunctionChoice::Urn(urn)) = choice {
            for (option, given, own) in [
                ("--region", &options.region, &urn.region),
                ("--project-id", &options.project_id, &urn.project_id),
            ] {
                if let Some(given) = given.as_ref().filter(|given| *given != own) {
                    bail!(
                        "{option} is {given}, but the URN of the function has {own}; leave {option} out"
                    );
                }
            }
            return Ok(Self {
                region: Some(urn.region.clone()),
                project_id: Some(urn.project_id.clone()),
                function: Some(urn),
            });
        }
        let region = given_or_variable("--region", options.region.clone(), &REGION_VARIABLES)?;
        let project_id = given_or_variable(
            "--project-id",
            options.project_id.clone(),
            &PROJECT_VARIABLES,
        )?;
        let function = match (choice, &region, &project_id) {
            (Some(FunctionChoice::Name { application, name }), Some(region), Some(project_id)) => {
                Some(FunctionUrn::of_name(region, project_id, application, name))
            }
            (Some(_), _, _) => bail!(
                "the name of a function needs --region and --project-id; the URN, which the console shows, does not"
            ),
            (None, _, _) => None,
        };
        Ok(Self {
            region,
            project_id,
            function,
        })
    }
}

/// Returns the option, or else the first variable that is set.
fn given_or_variable(
    option: &str,
    given: Option<String>,
    variables: &[&str],
) -> anyhow::Result<Option<String>> {
    let of_variable = |name: &&str| {
        let value = variable(name).filter(|value| !value.is_empty())?;
        Some((value, (*name).to_owned()))
    };
    let found = given
        .map(|value| (value, option.to_owned()))
        .or_else(|| variables.iter().find_map(of_variable));
    match found {
        Some((value, origin)) if !is_part(&value) => {
            bail!("`{value}` in {origin} is invalid: it has letters, digits, `-` and `_` only")
        }
        found => Ok(found.map(|(value, _)| value)),
    }
}

/// Returns the value of the variable. Bytes that are not UTF-8 are replaced, so that the value is reported as invalid, not as missing.
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

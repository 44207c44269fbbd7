//! `cargo fg deploy`: uploads a ZIP as a version of a dependency, and adds it to a function, with the management API of FunctionGraph.
//!
//! The pages of the API are those of the *FunctionGraph API Reference*: 0152 creates a version, 0127 and 0153 list dependencies and their
//! versions, 0106 and 0107 read a function, and 0110 changes its dependencies (**D**). It has not been run on the real platform.

mod api;
mod api_error;
mod client;
mod confirm;
mod dry_run;
mod endpoint;
mod function_state;
mod function_urn;
mod place;
mod plan;
mod roots;
mod source;
mod terraform;

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, bail};

use self::api::{Contents, DependencyVersion, NewVersion};
use self::client::{Client, credentials};
use self::confirm::confirm;
pub(crate) use self::endpoint::Endpoint;
use self::function_state::{FunctionState, TOO_LONG};
use self::function_urn::FunctionUrn;
use self::place::Place;
use self::plan::{Plan, Version};
use self::source::{MAX_SIGNED_BODY, Zip, description, name_of};
pub(crate) use self::source::{parse_link, parse_name};
use self::terraform::{Location, Resources};
use crate::package::{PackageOptions, Steps, write_package};

/// What is printed about a step that failed after the upload.
const GO_ON: &str =
    "run the same command again to go on: it finds the uploaded version by the hash of its ZIP";

/// The parsed arguments of `cargo fg deploy`.
pub(crate) struct DeployOptions {
    pub(crate) source: DeploySource,
    pub(crate) function: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) project_id: Option<String>,
    pub(crate) endpoint: Option<Endpoint>,
    pub(crate) runtime: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) action: Action,
}

/// What is deployed.
pub(crate) enum DeploySource {
    Package(Box<PackageOptions>),
    Zip(PathBuf),
    Link(String),
}

/// What to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Action {
    /// Deploy after the user agreed.
    Ask,
    /// Deploy without asking.
    Deploy,
    PrintRequests,
    PrintTerraform,
}

/// Deploys the extension, or prints how.
pub(crate) fn deploy(options: DeployOptions) -> anyhow::Result<()> {
    let place = Place::new(&options)?;
    if options.action == Action::PrintTerraform {
        return print_terraform(options, &place);
    }
    let project_id = place.project_id.as_deref().context(
        "the project is unknown: give its ID with --project-id, or the URN of the function with --function (the console shows both)",
    )?;
    let endpoint = match (&options.endpoint, &place.region) {
        (Some(endpoint), _) => endpoint.clone(),
        (None, Some(region)) => Endpoint::of_region(region),
        (None, None) => bail!("the region is unknown: give it with --region, such as cn-north-4"),
    };
    if place.function.is_none() && options.runtime.is_none() {
        bail!(
            "which function? Give its URN or name with --function; or, to upload the dependency only, its runtime with --runtime"
        );
    }
    // Find out that a key is missing before a long build.
    let client = match options.action {
        Action::PrintRequests => None,
        _ => Some(Client::new(endpoint.clone(), project_id, credentials()?)?),
    };
    let (name, zip, contents) = read_source(options.source, options.name)?;
    let mark = zip.as_ref().map(Zip::mark);
    let new = NewVersion {
        name,
        runtime: options.runtime.clone().unwrap_or_default(),
        description: description(options.description.as_deref(), mark.as_deref())?,
        contents,
    };
    let Some(client) = client else {
        let shown = NewVersion {
            runtime: options
                .runtime
                .unwrap_or_else(|| "<the runtime of the function>".to_owned()),
            ..new
        };
        let function = place.function.as_ref();
        return print(&dry_run::text(&endpoint, project_id, function, &shown));
    };
    let deployment = Deployment {
        client,
        new,
        zip,
        asks: options.action == Action::Ask,
    };
    match place.function {
        Some(function) => deployment.attach(&function),
        None => deployment.upload_only(),
    }
}

/// Builds the package if that is the source. Returns the name of the dependency, the ZIP unless it is in OBS, and what is uploaded.
fn read_source(
    source: DeploySource,
    name: Option<String>,
) -> anyhow::Result<(String, Option<Zip>, Contents)> {
    match source {
        DeploySource::Package(options) => {
            let packaged = write_package(&options)?;
            let name = name.map_or_else(|| name_of(&packaged.name), Ok)?;
            let zip = Zip::read(&packaged.zip)?;
            let contents = zip.contents();
            Ok((name, Some(zip), contents))
        }
        DeploySource::Zip(path) => {
            let name = name.map_or_else(|| name_of(&path.to_string_lossy()), Ok)?;
            let zip = Zip::read(&path)?;
            let contents = zip.contents();
            Ok((name, Some(zip), contents))
        }
        DeploySource::Link(link) => {
            let name = name.map_or_else(|| name_of(&link), Ok)?;
            Ok((name, None, Contents::Link(link)))
        }
    }
}

fn print_terraform(options: DeployOptions, place: &Place) -> anyhow::Result<()> {
    let runtime = options.runtime.as_deref().context(
        "Terraform needs the runtime of the function: give it with --runtime, such as Python3.9",
    )?;
    let description = description(options.description.as_deref(), None)?;
    let is_link = matches!(options.source, DeploySource::Link(_));
    let region = match &place.region {
        None if !is_link => {
            bail!("the region of the bucket is unknown: give it with --region, such as cn-north-4")
        }
        region => region.as_deref().unwrap_or_default(),
    };
    // A link is where the ZIP is, and also what the dependency is named after.
    let (path, origin) = match options.source {
        DeploySource::Package(options) => {
            let packaged = write_package(&options)?;
            (Some(packaged.zip), packaged.name)
        }
        DeploySource::Zip(path) => {
            let origin = path.to_string_lossy().into_owned();
            (Some(path), origin)
        }
        DeploySource::Link(link) => (None, link),
    };
    let name = options.name.map_or_else(|| name_of(&origin), Ok)?;
    let location = match &path {
        None => Location::Link(&origin),
        Some(path) => {
            source::check_package(path)?;
            Location::File {
                path: path
                    .to_str()
                    .with_context(|| format!("the path {} is not valid UTF-8", path.display()))?,
                region,
            }
        }
    };
    print(&terraform::resources(&Resources {
        name: &name,
        runtime,
        description: &description,
        location,
    }))
}

/// A deployment that is under way.
struct Deployment {
    client: Client,
    new: NewVersion,
    zip: Option<Zip>,
    asks: bool,
}

impl Deployment {
    /// Uploads the version and adds it to the function.
    fn attach(mut self, function: &FunctionUrn) -> anyhow::Result<()> {
        let before = self.read(function)?;
        if self.new.runtime.is_empty() {
            self.new.runtime = before.runtime().to_owned();
        } else if self.new.runtime != before.runtime() {
            bail!(
                "the runtime of the function is {}, and a dependency must have the same one; leave --runtime out",
                before.runtime()
            );
        }
        let versions = self.versions()?;
        let version = self.version(&versions);
        let plan = Plan::new(before.dependencies(), &versions, version)?;
        if plan.is_unchanged {
            self.show(&before, &plan, &versions)?;
            return print_line(
                "Nothing to do",
                "this version is one of the function's dependencies",
            );
        }
        // Find out whether the function can be changed before anything is uploaded. The length of the ID is that of a UUID.
        let update = before.update(&plan.after("00000000-0000-0000-0000-000000000000"))?;
        let is_long = update.to_string().len() as u64 > MAX_SIGNED_BODY;
        self.show(&before, &plan, &versions)?;
        if is_long {
            print_line("Warning", TOO_LONG)?;
        }
        if self.asks {
            confirm("Change the dependencies of this function?")?;
        }
        let (id, label) = match &plan.version {
            Version::Existing(id) => (id.clone(), self.label_of(id, &versions)),
            Version::New => self.upload()?,
        };
        let not_attached = || {
            let how = self.how_to_go_on();
            format!("{label} is not attached to the function; {how}")
        };
        let after = plan.after(&id);
        let current = self.read(function).with_context(not_attached)?;
        if !current.is_same_as(&before) {
            bail!(
                "the function was changed in the meantime, so {label} was not attached; {}",
                self.how_to_go_on()
            );
        }
        let request = api::update_code(function, before.update(&after)?);
        let failure = match self.client.send(&request) {
            // The change may have been made all the same.
            Err(error) if error.is_uncertain() => {
                print_line("Warning", format!("{error}; reading the function"))?;
                Some(error)
            }
            result => {
                result.with_context(not_attached)?;
                None
            }
        };
        let now = self.read(function).with_context(|| {
            format!(
                "it is unknown whether {label} is attached; {}",
                self.how_to_go_on()
            )
        })?;
        if let Some(error) = failure.filter(|_| now.is_same_as(&before)) {
            return Err(error).with_context(not_attached);
        }
        now.check_after(&before, &after).with_context(|| {
            format!("{label} is uploaded; look at the function's dependencies in the console")
        })?;
        print_line("Attached", format!("{label} to {}", function.name()))
    }

    /// Uploads the version without adding it to a function.
    fn upload_only(self) -> anyhow::Result<()> {
        let versions = self.versions()?;
        if let Version::Existing(id) = self.version(&versions) {
            let label = self.label_of(&id, &versions);
            return print_line("Nothing to do", format!("{label} has the same ZIP"));
        }
        self.show_upload()?;
        if self.asks {
            confirm("Upload this version?")?;
        }
        self.upload()?;
        print_line("Next", "add it to the function: Code > Dependencies > Add")
    }

    /// Returns the versions of the dependency. The function's runtime is known.
    fn versions(&self) -> anyhow::Result<Vec<DependencyVersion>> {
        Ok(self.client.versions(&self.new.name)?)
    }

    /// Returns the version that has the same ZIP and runtime, if there is one. For an object in OBS, the ZIP is unknown.
    fn version(&self, versions: &[DependencyVersion]) -> Version {
        let Some(mark) = self.zip.as_ref().map(Zip::mark) else {
            return Version::New;
        };
        let is_same = |version: &&DependencyVersion| {
            let description = version.description.as_deref().unwrap_or_default();
            description.contains(&mark) && version.runtime.as_ref() == Some(&self.new.runtime)
        };
        match versions.iter().find(is_same) {
            Some(version) => Version::Existing(version.id.clone()),
            None => Version::New,
        }
    }

    fn read(&self, function: &FunctionUrn) -> anyhow::Result<FunctionState> {
        let read = |request| {
            self.client.send(&request).map_err(|error| {
                let is_missing = error.is_not_found();
                let error = anyhow::Error::new(error);
                match is_missing {
                    true => error.context(format!(
                        "cannot find the function {function}; its URN is in the console, on the page of the function"
                    )),
                    false => error,
                }
            })
        };
        let code = read(api::function_code(function))?;
        let config = read(api::function_config(function))?;
        FunctionState::from_responses(code, config)
    }

    fn upload(&self) -> anyhow::Result<(String, String)> {
        let unknown = || {
            let how = self.how_to_go_on();
            format!("it is unknown whether the version was uploaded; {how}")
        };
        let request = api::create_version(self.client.project_id(), &self.new);
        let response = self.client.send(&request).map_err(|error| {
            let is_uncertain = error.is_uncertain();
            let error = anyhow::Error::new(error);
            match is_uncertain {
                true => error.context(unknown()),
                false => error.context("nothing was uploaded"),
            }
        })?;
        let version: DependencyVersion = self
            .client
            .parse(&request, response)
            .with_context(unknown)?;
        let label = format!("{}, {}", self.new.name, version.label());
        print_line("Uploaded", format!("{label} ({})", version.id))?;
        Ok((version.id, label))
    }

    fn how_to_go_on(&self) -> &'static str {
        match self.zip {
            Some(_) => GO_ON,
            None => {
                "look at the versions of the dependency in the console before you run the command again"
            }
        }
    }

    fn label_of(&self, id: &str, versions: &[DependencyVersion]) -> String {
        let found = versions.iter().find(|version| version.id == id);
        let version = found.map_or_else(|| id.to_owned(), DependencyVersion::label);
        format!("{}, {version}", self.new.name)
    }

    /// Prints what is uploaded.
    fn show_upload(&self) -> anyhow::Result<()> {
        let NewVersion { name, runtime, .. } = &self.new;
        let what = match (&self.zip, &self.new.contents) {
            (Some(zip), _) => {
                format!("{}, {} bytes, {}", zip.path.display(), zip.size, zip.mark())
            }
            (None, Contents::Link(link)) => link.clone(),
            (None, Contents::Base64(_)) => String::new(),
        };
        print_line(
            "Dependency",
            format!("{name}, a new version for {runtime}: {what}"),
        )?;
        match self.zip.as_ref().and_then(Zip::warning) {
            Some(warning) => print_line("Warning", warning),
            None => Ok(()),
        }
    }

    /// Prints the difference.
    fn show(
        &self,
        before: &FunctionState,
        plan: &Plan,
        versions: &[DependencyVersion],
    ) -> anyhow::Result<()> {
        print_line(
            "Function",
            format!("{}, {}", before.urn(), before.runtime()),
        )?;
        let version = match &plan.version {
            Version::New => {
                self.show_upload()?;
                format!("{}, the new version", self.new.name)
            }
            Version::Existing(id) => {
                let label = self.label_of(id, versions);
                print_line(
                    "Dependency",
                    format!("{label}, was uploaded before with the same ZIP"),
                )?;
                format!("{label} ({id})")
            }
        };
        let describe = |id: &str| {
            let own = versions.iter().find(|version| version.id == id);
            match own {
                Some(own) => format!("{}, {} ({id})", self.new.name, own.label()),
                None => before.describe(id),
            }
        };
        let lines = plan.lines(describe, &version);
        for (index, line) in lines.iter().enumerate() {
            print_line(if index == 0 { "Dependencies" } else { "" }, line)?;
        }
        match before.warning() {
            Some(warning) if !plan.is_unchanged => print_line("Warning", warning),
            _ => Ok(()),
        }
    }
}

fn print_line(label: &str, text: impl std::fmt::Display) -> anyhow::Result<()> {
    Steps::Stdout.print_line(label, text)
}

fn print(text: &str) -> anyhow::Result<()> {
    std::io::stdout()
        .write_all(text.as_bytes())
        .context("cannot write to stdout")
}

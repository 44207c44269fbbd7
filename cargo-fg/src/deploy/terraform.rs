//! Prints the resources of the Terraform provider `huaweicloud` that make the same deployment.

use std::fmt::Write as _;

/// What the resources contain.
pub(super) struct Resources<'a> {
    pub(super) name: &'a str,
    pub(super) runtime: &'a str,
    pub(super) description: &'a str,
    pub(super) location: Location<'a>,
}

/// Where the ZIP is.
pub(super) enum Location<'a> {
    /// On this machine. Terraform uploads it to a bucket in this region.
    File { path: &'a str, region: &'a str },
    /// In OBS.
    Link(&'a str),
}

/// Returns a file of HCL (D: `fgs_dependency_version`, `fgs_function` and `obs_bucket_object` in the provider's documentation).
pub(super) fn resources(resources: &Resources<'_>) -> String {
    let id = identifier(resources.name);
    let mut text = format!(
        "# Written by `cargo fg deploy --terraform`. In your huaweicloud_fgs_function, add:\n\
         #\n\
         #   depend_list = [huaweicloud_fgs_dependency_version.{id}.version_id]\n\
         #\n\
         # The runtime of that function must be {}.\n\n",
        string(resources.runtime)
    );
    let link = match resources.location {
        Location::Link(link) => string(link),
        Location::File { path, region } => {
            // A version can only be replaced by one with another link, so the key contains a hash of the ZIP. Terraform computes it,
            // and so finds out when the ZIP was built anew.
            let _ = write!(
                text,
                "variable \"{id}_bucket\" {{\n  \
                   type        = string\n  \
                   description = \"The bucket in OBS for the ZIP\"\n\
                 }}\n\n\
                 resource \"huaweicloud_obs_bucket_object\" \"{id}\" {{\n  \
                   bucket = var.{id}_bucket\n  \
                   key    = \"{}-${{substr(filesha256({path}), 0, 16)}}.zip\"\n  \
                   source = {path}\n\n  \
                   lifecycle {{\n    \
                     create_before_destroy = true\n  \
                   }}\n\
                 }}\n\n",
                resources.name,
                path = string(path),
            );
            format!(
                "\"https://${{huaweicloud_obs_bucket_object.{id}.bucket}}.obs.{region}.myhuaweicloud.com/\
                 ${{huaweicloud_obs_bucket_object.{id}.key}}\""
            )
        }
    };
    // A version that a function uses cannot be deleted (D user guide 01_2119).
    let _ = write!(
        text,
        "resource \"huaweicloud_fgs_dependency_version\" \"{id}\" {{\n  \
           name        = {}\n  \
           runtime     = {}\n  \
           description = {}\n  \
           link        = {link}\n\n  \
           lifecycle {{\n    \
             create_before_destroy = true\n  \
           }}\n\
         }}\n",
        string(resources.name),
        string(resources.runtime),
        string(resources.description),
    );
    text
}

/// Returns an identifier of HCL. Names of dependencies start with a letter.
fn identifier(name: &str) -> String {
    name.replace(['.', '-'], "_")
}

/// Returns a string literal of HCL, in which nothing is interpolated.
fn string(text: &str) -> String {
    let mut literal = String::from("\"");
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' => literal.push_str("\\\""),
            '\\' => literal.push_str("\\\\"),
            '\n' => literal.push_str("\\n"),
            '\r' => literal.push_str("\\r"),
            '\t' => literal.push_str("\\t"),
            '$' | '%' if characters.peek() == Some(&'{') => {
                literal.push(character);
                literal.push(character);
            }
            other if other.is_control() => {
                let _ = write!(literal, "\\u{:04X}", u32::from(other));
            }
            other => literal.push(other),
        }
    }
    literal.push('"');
    literal
}

#[cfg(test)]
mod tests {
    use super::{Location, Resources, resources, string};

    #[test]
    fn strings_are_literals() {
        assert_eq!(
            string("a\"b\\c ${d} %{e} $f $${g}\n\u{1}ä"),
            r#""a\"b\\c $${d} %%{e} $f $$${g}\n\u0001ä""#
        );
    }

    #[test]
    fn a_file_is_uploaded_under_a_key_with_its_hash() {
        let text = resources(&Resources {
            name: "night-watch",
            runtime: "Python3.9",
            description: "x",
            location: Location::File {
                path: "target/fg/night-watch.zip",
                region: "cn-north-4",
            },
        });
        assert_eq!(
            text,
            r#"# Written by `cargo fg deploy --terraform`. In your huaweicloud_fgs_function, add:
#
#   depend_list = [huaweicloud_fgs_dependency_version.night_watch.version_id]
#
# The runtime of that function must be "Python3.9".

variable "night_watch_bucket" {
  type        = string
  description = "The bucket in OBS for the ZIP"
}

resource "huaweicloud_obs_bucket_object" "night_watch" {
  bucket = var.night_watch_bucket
  key    = "night-watch-${substr(filesha256("target/fg/night-watch.zip"), 0, 16)}.zip"
  source = "target/fg/night-watch.zip"

  lifecycle {
    create_before_destroy = true
  }
}

resource "huaweicloud_fgs_dependency_version" "night_watch" {
  name        = "night-watch"
  runtime     = "Python3.9"
  description = "x"
  link        = "https://${huaweicloud_obs_bucket_object.night_watch.bucket}.obs.cn-north-4.myhuaweicloud.com/${huaweicloud_obs_bucket_object.night_watch.key}"

  lifecycle {
    create_before_destroy = true
  }
}
"#
        );
    }

    #[test]
    fn a_link_needs_no_bucket() {
        let text = resources(&Resources {
            name: "a.b",
            runtime: "http",
            description: "x",
            location: Location::Link("https://b/a.zip"),
        });
        assert!(!text.contains("bucket"), "{text}");
        assert!(
            text.contains("  link        = \"https://b/a.zip\"\n"),
            "{text}"
        );
        assert!(
            text.contains("huaweicloud_fgs_dependency_version\" \"a_b\" {"),
            "{text}"
        );
    }
}

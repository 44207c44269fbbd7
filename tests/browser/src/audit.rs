//! What a page must fulfill for everyone: contrast, names, sizes, and frames without gaps.

use serde_json::json;

use crate::Browser;

/// Functions that look at the page.
const AUDIT: &str = include_str!("audit.js");

impl Browser {
    /// Runs a function of `audit.js`, which returns complaints.
    pub fn audit(&self, call: &str) -> Vec<String> {
        let complaints = self.run(&format!("{AUDIT}\nreturn {call};"), &[]);
        let complaints = complaints.as_array().unwrap().iter();
        complaints
            .map(|it| it.as_str().unwrap().to_owned())
            .collect()
    }

    /// Returns the times from frame to frame, in milliseconds and sorted, while `step`, a statement that can use `frame`, runs
    /// before each frame.
    pub fn frame_times(&self, frames: u32, step: &str) -> Vec<f64> {
        let script =
            format!("{AUDIT}\nreturn await frameTimes({frames}, (frame) => {{ {step} }});");
        let times = self.run_async(&script, &[]);
        let mut times: Vec<_> = times
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it.as_f64().unwrap())
            .collect();
        times.sort_by(f64::total_cmp);
        times
    }

    /// Returns the accessible controls, and landmarks that need a name, without one: their roles.
    pub fn unnamed(&self) -> Vec<String> {
        let tree = self.cdp("Accessibility.getFullAXTree", json!({}));
        let needs_name = [
            "button",
            "checkbox",
            "combobox",
            "dialog",
            "image",
            "link",
            "listbox",
            "menuitem",
            "option",
            "radio",
            "region",
            "searchbox",
            "slider",
            "spinbutton",
            "switch",
            "tab",
            "tabpanel",
            "textbox",
            "toolbar",
        ];
        let nodes = tree["nodes"].as_array().unwrap().iter();
        let unnamed = nodes.filter(|node| {
            let role = node["role"]["value"].as_str().unwrap_or_default();
            let name = node["name"]["value"].as_str().unwrap_or_default();
            node["ignored"] == false && needs_name.contains(&role) && name.trim().is_empty()
        });
        unnamed
            .map(|node| format!("{} {}", node["role"]["value"], node["properties"]))
            .collect()
    }
}

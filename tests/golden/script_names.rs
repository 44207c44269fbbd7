// Valid and invalid names of start scripts. The runtime, the macro and the emulator are tested against this list.
(
    [
        "extension.sh",
        "extensionHello.sh",
        "extension-night_watch 2.sh",
        // 255 bytes, the limit for file names.
        concat!(
            "extension",
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            ".sh"
        ),
    ],
    [
        "",
        "demo",
        "demo.sh",
        "ExtensionDemo.sh",
        "extensionDemo",
        "extensionDemo.SH",
        " extensionDemo.sh",
        "extension/extensionDemo.sh",
        "extensionDemo\n.sh",
        "extensionDemo\u{7f}.sh",
        "extensionD\u{e9}mo.sh",
        // 256 bytes.
        concat!(
            "extension",
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            ".sh"
        ),
    ],
)

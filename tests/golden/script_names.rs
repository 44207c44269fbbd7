// Names that a start script can have, and names that none can: the macro and `ExtensionName` are both held to it.
(
    [
        "extension.sh",
        "extensionHello.sh",
        "extension-night_watch 2.sh",
        // 255 bytes, the most that a file name has.
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
        // One more.
        concat!(
            "extension",
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            ".sh"
        ),
    ],
)

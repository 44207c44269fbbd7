name = $name, port = $port, crate = $crate_path
        impl $type {
            #[invoke]
            async fn $method(&self, _: $event) -> Result<(), std::io::Error> {
                Ok(())
            }
        }
    };
}

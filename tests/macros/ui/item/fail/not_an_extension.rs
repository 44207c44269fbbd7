struct Hello;

fn main() {
    drop(fg_extension::run::<Hello>());
}

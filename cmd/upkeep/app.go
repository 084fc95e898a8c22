package main

// wire plugs the application together.
func wire() application { return application{} }

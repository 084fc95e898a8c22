// {{version}}

"""The parts that pages are composed of; each draws itself and reads its own widgets."""

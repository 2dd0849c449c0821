"""What is shown of an analysis and of a plan: sentences, tables for the screen, figures, and a page to hand on."""

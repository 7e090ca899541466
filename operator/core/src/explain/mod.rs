//! Why, who-can, what-if: reads traces and plans, decides nothing.

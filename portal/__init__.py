"""The portal: Streamlit pages over the readings of Lens. A page queries and draws, nothing else."""

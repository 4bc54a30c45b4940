"""The pages; a folder called ``pages`` would wake Streamlit's older page finder."""

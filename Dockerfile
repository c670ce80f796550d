# docker build -t taskaffinity .                                        CPU
# docker build -t taskaffinity --build-arg TORCH_INDEX=URL .            CUDA: URL of a package index with a CUDA build of torch
# docker run --rm -v "$PWD:/work" taskaffinity pairwise --domain clinical
FROM python:3.11-slim
ARG TORCH_INDEX=""
WORKDIR /opt/taskaffinity
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY taskaffinity ./taskaffinity
RUN if [ -n "$TORCH_INDEX" ]; then pip install --no-cache-dir -c constraints.txt --index-url "$TORCH_INDEX" torch; fi \
    && pip install --no-cache-dir -c constraints.txt .
WORKDIR /work
ENTRYPOINT ["taskaffinity"]
CMD ["--help"]
